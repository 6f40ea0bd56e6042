"""Embedding: what tells faces apart, ours or an ONNX file of the user's."""

import os

import cv2
import numpy as np

from revive_jax import types
from revive_jax.faces import similarity

_SIDE = 112  # px, as SFace and ArcFace have it.


def onnx(path: str) -> similarity.Embedding:
  """The embedding of an ONNX file, run by OpenCV.

  It is given pictures as OpenCV's FaceRecognizerSF gives them: RGB from 0 to
  255, [N, 3, 112, 112], cut out by the face's box. Its vectors are brought to
  length 1.

  Raises:
    types.BadInput: there is no such file, or OpenCV cannot run it.
  """
  if not os.path.isfile(path):
    raise types.BadInput(
        f'--config.faces.embedder={path}: there is no such file; give an ONNX '
        'file, or leave it out.')
  try:
    network = cv2.dnn.readNetFromONNX(path)
    run = lambda faces: _run(network, faces)
    run(np.zeros((1, _SIDE, _SIDE, 3), np.uint8))
  except cv2.error as error:
    raise types.BadInput(
        f'--config.faces.embedder={path} is not an ONNX file that OpenCV can '
        f'run on pictures of {_SIDE} x {_SIDE} px ({error.err}).') from error
  return similarity.Embedding(_SIDE, run)


def _run(network, faces) -> np.ndarray:
  # One by one: exported networks often have a batch of 1.
  vectors = []
  for face in faces:
    network.setInput(cv2.dnn.blobFromImage(face))
    vectors.append(network.forward().reshape(-1))
  if not vectors:
    return np.zeros((0, 1), np.float32)
  vectors = np.stack(vectors).astype(np.float32)
  return vectors / np.maximum(
      np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
