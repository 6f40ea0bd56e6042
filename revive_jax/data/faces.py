"""Pictures of faces by person, and training examples of them.

    python -m revive_jax.data.faces --root photos videos --out faces

writes `faces/<person>/<name>.png`, each a face in the middle of a picture of
SIDE px, with as much around it that it can be turned and shifted.
"""

import argparse
from collections.abc import Sequence
import json
import os
import pathlib
import sys

import cv2
import grain
import numpy as np

from revive_jax import types
from revive_jax.data import face_damage, pipeline, videos
from revive_jax.faces import find
from revive_jax.video import images, probe, reader, sheet

SIDE = 112  # px of a prepared picture...
AROUND = 1.8  # ...and how much larger than the face's box it is.
SEEN = 1.25  # How much larger than the box is what the network sees...
NETWORK = 64  # ...and its px.
_EVERY = 5  # Frames of a video from one picture to the next.
_SWAPPED = 0.8  # Share of decoys that are another face in the same picture.


def cut(picture: np.ndarray, box: Sequence[float]) -> np.ndarray:
  """A prepared picture [SIDE, SIDE, 3] of a box: left, top, width, height, px.
  """
  x, y, w, h = box
  half = AROUND * max(w, h) / 2
  scale = SIDE / (2 * half)
  matrix = np.float32([[scale, 0, SIDE / 2 - scale * (x + w / 2)],
                       [0, scale, SIDE / 2 - scale * (y + h / 2)]])
  if scale < 0.7:  # Without aliasing.
    picture = cv2.GaussianBlur(picture, (0, 0), 0.45 / scale)
  return cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC,
                        borderMode=cv2.BORDER_REPLICATE)


def prepare(
    roots: Sequence[str], out: str | os.PathLike, *,
    people: dict[str, str] | None = None,
) -> int:
  """Writes the largest face of every picture and of every fifth video frame.

  Args:
    roots: folders of pictures or videos.
    out: a folder of it for each person.
    people: names of persons by names of files without suffix; others are
      persons of the file's own name. '' leaves a file out.

  Returns:
    The number of pictures written.

  Raises:
    types.BadInput: there is nothing that can be read.
  """
  people, find_faces, count = people or {}, find.detector(), 0
  for root in roots:
    for path in sorted(pathlib.Path(root).rglob('*')):
      person = people.get(path.stem, path.stem)
      if not path.is_file() or not person:
        continue
      for name, rgb in _pictures(path):
        boxes = find_faces(rgb)
        if not len(boxes):
          continue
        height, width = rgb.shape[:2]
        box = max(boxes, key=lambda b: b[2] * b[4])[:4] * (
            width, height, width, height)
        sheet.write_png(
            pathlib.Path(out) / person / f'{name}.png', cut(rgb, box))
        count += 1
  if not count:
    raise types.BadInput(
        f'{", ".join(roots)}: no face was found there in a picture or a video '
        'that can be read.')
  return count


def _pictures(path):
  """Yields (name, RGB uint8) of a picture, or of frames of a video."""
  if images.is_picture(path):
    bgr = cv2.imread(str(path))
    if bgr is not None:
      yield path.stem, bgr[..., ::-1]
    return
  try:
    for frame in reader.read_frames(probe.probe(str(path))):
      if frame.index % _EVERY == 0:
        yield (f'{path.stem}_{frame.index:05d}', videos.to_uint8(frame.rgb))
  except types.BadInput:
    return


class People:
  """Prepared pictures in memory, by person."""

  def __init__(self, root: str | os.PathLike, *, held_out: Sequence[str] = (),
               every: int = 0, kept: bool = False):
    """Reads them.

    Args:
      root: of prepare().
      held_out: names of persons that are held out...
      every: ...and of those with one picture every so many; 0: none.
      kept: read the ones that are held out, instead of the others.

    Raises:
      types.BadInput: there are fewer than two persons.
    """
    folders = sorted(p for p in pathlib.Path(root).glob('*') if p.is_dir())
    unknown = set(held_out) - {p.name for p in folders}
    if folders and unknown:
      raise types.BadInput(
          f'--config.data.held_out: {root} has no {sorted(unknown)[0]}; name '
          'folders of it.')
    files = {p.name: sorted(p.glob('*.png')) for p in folders}
    single = [name for name, found in files.items() if len(found) == 1]
    out = {*held_out, *(single[::every] if every else ())}
    self.names = [n for n in files if (n in out) == kept]
    if len(self.names) < 2:
      raise types.BadInput(
          f'{root}: {len(self.names)} persons are there to train on; make '
          'pictures of faces with python -m revive_jax.data.faces.')
    self.pictures = [
        np.stack([cv2.imread(str(f))[..., ::-1] for f in files[name]])
        for name in self.names]

  def drawn(self) -> list[dict[str, np.int32]]:
    """Records to draw from: a person of many pictures comes more often."""
    return [{'person': np.int32(i)} for i, p in enumerate(self.pictures)
            for _ in range(min(len(p), 8))]


class Draw(grain.transforms.RandomMap):
  """A person to {'views': [3, 64, 64, 3] uint8, 'person': [] int32}.

  Two of the person, as different as its pictures and damage make them, and a
  decoy: another person, mostly in the same surroundings.
  """

  def __init__(self, people: People):
    self._pictures = people.pictures

  def random_map(self, record, rng):
    """One example of a person of People.drawn()."""
    person = int(record['person'])
    own = self._pictures[person]
    first, second = (own[i] for i in rng.integers(len(own), size=2))
    other = (person + rng.integers(1, len(self._pictures))) % len(
        self._pictures)
    strange = self._pictures[other][rng.integers(len(self._pictures[other]))]
    if rng.random() < _SWAPPED:
      decoy = swap(second, strange)
      if rng.random() < 0.3:  # And the same face elsewhere is still the same.
        second = swap(strange, second)
    else:
      decoy = strange
    return {'views': np.stack([
        face_damage.damage(look(p, rng), rng)
        for p in (first, second, decoy)]), 'person': record['person']}


def swap(picture: np.ndarray, face: np.ndarray) -> np.ndarray:
  """A prepared picture with the face of another in it, in its own light."""
  centre = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
  radius = 0.5 / AROUND
  distance = np.sqrt((centre[1] / (0.85 * radius)) ** 2
                     + (centre[0] / (1.05 * radius)) ** 2)
  share = np.clip((1.1 - distance) / 0.25, 0, 1)[..., None]
  inner = distance < 1
  there, own = (x[inner].astype(np.float32) for x in (picture, face))
  toned = (face - own.mean(0)) * (
      there.std() / max(own.std(), 1.0)) + there.mean(0)
  mixed = picture * (1 - share) + toned * share
  return np.clip(mixed, 0, 255).astype(np.uint8)


def look(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """What the network may see of a prepared picture: [64, 64, 3] uint8."""
  scale = NETWORK / (SIDE * SEEN / AROUND) * np.exp(rng.normal(0, 0.07))
  matrix = cv2.getRotationMatrix2D(
      (SIDE / 2, SIDE / 2), rng.normal(0, 5.0), scale)
  matrix[:, 2] += (NETWORK - SIDE) / 2 + rng.normal(0, 2.0, 2)
  if rng.random() < 0.5:
    picture = picture[:, ::-1]
  return cv2.warpAffine(
      np.ascontiguousarray(picture), matrix, (NETWORK, NETWORK),
      flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def middle(picture: np.ndarray) -> np.ndarray:
  """look() without chance: the picture as it is."""
  scale = NETWORK / (SIDE * SEEN / AROUND)
  matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), 0, scale)
  matrix[:, 2] += (NETWORK - SIDE) / 2
  return cv2.warpAffine(picture, matrix, (NETWORK, NETWORK),
                        flags=cv2.INTER_LINEAR,
                        borderMode=cv2.BORDER_REPLICATE)


def make_batches(
    people: People, *, seed: int, batch_size: int, host_index: int = 0,
    host_count: int = 1, start: int = 0,
) -> grain.IterDataset:
  """Batches of Draw, without end: this host's share of each, from `start` on.
  """
  dataset = grain.MapDataset.source(people.drawn()).shuffle(
      seed=seed).repeat().random_map(Draw(people), seed=seed)
  stretches = dataset.batch(batch_size // host_count, drop_remainder=True)
  return pipeline.read_ahead(
      stretches[start * host_count + host_index::host_count])


def main(argv: Sequence[str] | None = None) -> int:
  """The command; returns 0, or 2 for bad input."""
  parser = argparse.ArgumentParser(
      prog='python -m revive_jax.data.faces',
      description='Cuts faces out of pictures and videos, for training.')
  parser.add_argument('--root', required=True, nargs='+', help='Folders.')
  parser.add_argument('--out', required=True, help='Where to write.')
  parser.add_argument('--people', help='JSON: {name of file: person, or ""}.')
  args = parser.parse_args(argv)
  try:
    people = {}
    if args.people:
      people = json.loads(pathlib.Path(args.people).read_text())
    count = prepare(args.root, args.out, people=people)
  except (OSError, ValueError) as error:
    sys.stderr.write(f'{error}\n')
    return 2
  sys.stderr.write(f'{count} pictures are in {args.out}.\n')
  return 0


if __name__ == '__main__':
  sys.exit(main())
