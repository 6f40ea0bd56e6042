"""Faces: how many are found and hidden, and who can still be told.

python benchmarks/faces.py recall --root=FOLDER [--detector=yunet.onnx]
python benchmarks/faces.py verify --faces=FOLDER [--weights=face
    --held_out=name,name --every=10]
python benchmarks/faces.py audit --clips=FOLDER [--people=people.json]

recall: of the films below root that benchmarks/faces.json has boxes of (made by
hand), with the share of labelled faces that the detector finds, that a track
covers, and that redaction hides; faces are looked for as they are for that.
verify: of pictures that `python -m revive_jax.data.faces` made, those of the
persons that were held out:
how well the embedder tells persons apart, under damage. audit: whether it still
does after redaction, of clips of one person each.
"""

import argparse
import json
import pathlib
import time

import cv2
import numpy as np
import refusing
from scipy import stats

from revive_jax import types
from revive_jax.data import face_damage, faces
from revive_jax.faces import find, similarity, track
from revive_jax.models import face
from revive_jax.pipeline import face_tracks
from revive_jax.privacy import redact
from revive_jax.video import images, probe, reader

_LABELS = pathlib.Path(__file__).with_suffix('.json')
_DRAWS = 6  # Pairs of each kind for a picture.


@refusing.bad_input()
def main():
  """Prints one of the tables."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('what', choices=('recall', 'verify', 'audit'))
  for name in ('root', 'faces', 'clips', 'people', 'detector', 'held_out'):
    parser.add_argument(f'--{name}', default='')
  parser.add_argument('--weights', default='face')
  parser.add_argument('--every', type=int, default=10)
  args = parser.parse_args()
  {'recall': _recall, 'verify': _verify, 'audit': _audit}[args.what](args)


def auc(same: np.ndarray, different: np.ndarray) -> float:
  """The chance that a pair of one person is nearer than one of two."""
  count = len(same) * len(different)
  return float(stats.mannwhitneyu(same, different).statistic / count)


def _recall(args):
  films = json.loads(_LABELS.read_text())['frames']
  find_faces = find.detector(
      args.detector, side=face_tracks.CAREFUL['side'])
  print('| film | labelled | detector | tracks | hidden | of a face, lowest | '
        'false boxes a frame | s a frame |\n|---|---|---|---|---|---|---|---|')
  total = np.zeros(4)
  for name, labels in films.items():
    path = pathlib.Path(args.root) / name
    if not path.exists():
      continue
    counts, covered, false, seconds = _film(path, labels, find_faces)
    total += counts
    shown = ' | '.join(f'{n:.0f}' for n in counts)
    least = f'{100 * min(covered):.0f} %' if covered else ''
    print(f'| {path.name} | {shown} | {least} | {false:.2f} | {seconds:.3f} |',
          flush=True)
  print('| all | ' + ' | '.join(f'{n:.0f}' for n in total) + ' | | | |')


def _film(path, labels, find_faces):
  """([labelled, detected, tracked, hidden], shares hidden, false boxes, s)."""
  watcher = track.Watcher(find_faces, **face_tracks.CAREFUL)
  detected, shapes, count, seconds = {}, {}, 0, 0.0
  for frame in reader.read_frames(probe.probe(str(path))):
    if str(frame.index) in labels:
      detected[frame.index] = find_faces(frame.rgb)
      shapes[frame.index] = frame.rgb.shape[:2]
    start = time.process_time()
    watcher(frame.rgb)
    seconds += time.process_time() - start
    count += 1
  tracks = watcher.tracks()
  counts, covered, false = np.zeros(4), [], 0
  for number, shape in shapes.items():
    places = np.concatenate([t.boxes([number]) for t in tracks] or [
        np.zeros((0, 4))])
    places = places[np.isfinite(places).all(-1)]
    truth = np.array(labels[str(number)]).reshape(-1, 4)
    clip = types.Clip(*[np.zeros((1, *shape, 3), np.float32)] * 2)
    hidden = redact.redact(clip, tracks=tracks, start=number, how='blur').hidden
    hidden = np.zeros(shape) if hidden is None else hidden[0, ..., 0]
    for box in truth:
      own = similarity.ellipse(shape, box) > 0
      covered.append(hidden[own].mean())
      counts += (1, (find.overlap([box], detected[number]) > 0.3).any(),
                 (find.overlap([box], places) > 0.3).any(), covered[-1] > 0.95)
    false += int((find.overlap(places, truth).max(-1, initial=0) < 0.1).sum())
  return counts, covered, false / max(len(shapes), 1), seconds / count


def _verify(args):
  embed = face.load(args.weights)
  people = faces.People(
      args.faces, every=args.every, kept=True,
      held_out=[n for n in args.held_out.split(',') if n])
  rng = np.random.default_rng(0)
  many = [i for i, p in enumerate(people.pictures) if len(p) > 1]
  print(f'{len(people.names)} persons that were held out, {len(many)} of them '
        'in films.\n\n| pairs | AUC | accuracy | at cosine | of one person, '
        'lowest hundredth | of two, highest hundredth |\n|---|---|---|---|---|'
        '---|')
  for name, chosen in (('all', range(len(people.names))), ('films', many)):
    same, different, swapped = _pairs(people, list(chosen), embed, rng)
    for kind, others in (('another person', different),
                         ('another face in the same picture', swapped)):
      best = max(np.linspace(-0.5, 1, 151), key=lambda x: (
          (same >= x).mean() + (others < x).mean()))
      right = ((same >= best).mean() + (others < best).mean()) / 2
      print(f'| {name}; {kind} | {auc(same, others):.4f} | {right:.3f} | '
            f'{best:.2f} | {np.quantile(same, 0.01):.2f} | '
            f'{np.quantile(others, 0.99):.2f} |')
  honest, half, whole = _guarded(people, embed, rng)
  print('\n| cosine below which less is restored | honest restorers taken for '
        'others | another face: caught | half of another face: caught |\n'
        '|---|---|---|---|')
  for least in (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9):
    print(f'| {least} | {100 * (honest < least).mean():.1f} % | '
          f'{100 * (whole < least).mean():.1f} % | '
          f'{100 * (half < least).mean():.1f} % |')


def _guarded(people, embed, rng):
  """What the policy has to tell apart: honest restorers from others.

  Input and output are aligned there, of the same light. honest: the input has
  grain, blur or coding, the output is the clean picture, or a denoised one.
  changed: the face of somebody else, wholly or by a half, in the picture.
  """
  before, honest, half, whole = [], [], [], []
  chosen = range(len(people.names))
  for i in chosen:
    for picture in people.pictures[i][:_DRAWS]:
      j = rng.choice([x for x in chosen if x != i])
      other = faces.swap(picture, people.pictures[j][0])
      clean = faces.middle(picture)
      worse = face_damage.worse(clean, rng)
      before.append(worse)
      honest.append(clean if rng.random() < 0.5 else cv2.bilateralFilter(
          worse, 5, 30, 2))
      swapped = faces.middle(other)
      whole.append(swapped)
      half.append(cv2.addWeighted(swapped, 0.5, clean, 0.5, 0))
  a, *rest = (embed(np.stack(x)) for x in (before, honest, half, whole))
  return [(a * b).sum(-1) for b in rest]


def _pairs(people, chosen, embed, rng):
  """Cosines of pairs: of one person, of two, of a picture with another face."""
  first, second, other, swap = [], [], [], []
  view = lambda p: face_damage.damage(faces.middle(p), rng)
  for i in chosen:
    own = people.pictures[i]
    for _ in range(_DRAWS * min(len(own), 8)):
      a, b = own[rng.integers(len(own))], own[rng.integers(len(own))]
      j = rng.choice([x for x in chosen if x != i])
      c = people.pictures[j][rng.integers(len(people.pictures[j]))]
      first.append(view(a))
      second.append(view(b))
      other.append(view(c))
      swap.append(view(faces.swap(a, c)))
  a, b, c, d = (embed(np.stack(x)) for x in (first, second, other, swap))
  return (a * b).sum(-1), (a * c).sum(-1), (a * d).sum(-1)


def _audit(args):
  embed = face.load(args.weights)
  people = json.loads(
      pathlib.Path(args.people).read_text()) if args.people else {}
  find_faces, shown = find.detector(args.detector), {}
  for path in sorted(pathlib.Path(args.clips).iterdir()):
    person = people.get(path.stem, path.stem)
    if images.is_picture(path) or not person:
      continue
    shown.setdefault(person, []).append(_shown(path, find_faces))
  print('| faces | told from a clear picture | told from a picture hidden '
        'alike |\n|---|---|---|')
  clear = {p: np.concatenate([f['none'] for f in films])
           for p, films in shown.items()}
  for how in redact.KINDS:
    hidden = {p: np.concatenate([f[how] for f in films])
              for p, films in shown.items()}
    print(f'| {how} | {_told(embed, clear, hidden):.3f} | '
          f'{_told(embed, hidden, hidden):.3f} |', flush=True)
  print(f'\n{len(shown)} persons, AUC of all pairs of frames, the first half '
        'of a film against the second.')


def _shown(path, find_faces):
  """Faces of a clip [N, 64, 64, 3], by how they were hidden."""
  frames = [f.rgb for f in reader.read_frames(probe.probe(str(path)))
            if f.index % 3 == 0][:24]
  watcher = track.Watcher(find_faces, every=2)
  for frame in frames:
    watcher(frame)
  tracks = sorted(watcher.tracks(), key=lambda t: -len(t.keys) * t.found)[:1]
  found = {how: np.zeros((0, 64, 64, 3), np.uint8) for how in redact.KINDS}
  if not tracks:
    return found
  film = np.stack(frames[::4]).astype(np.float32) / 255
  boxes = tracks[0].boxes(4 * np.arange(len(film)))
  for how in redact.KINDS:
    hidden = film if how == 'none' else np.stack([redact.redact(
        types.Clip(source=x[None], frames=x[None], output=x[None]),
        tracks=tracks, start=4 * t, how=how).output[0]
                                                 for t, x in enumerate(film)])
    found[how] = np.stack([similarity.cut(x, b) for x, b in zip(
        hidden, boxes, strict=True) if np.isfinite(b).all()])
  return found


def _told(embed, gallery, probes):
  """AUC of faces of the second halves against those of the first."""
  same, different = [], []
  known = {p: embed(x[:len(x) // 2]) for p, x in gallery.items()}
  for person, pictures in probes.items():
    vectors = embed(pictures[len(pictures) // 2:])
    for other, some in known.items():
      pairs = same if other == person else different
      pairs.append((vectors @ some.T).ravel())
  return auc(np.concatenate(same), np.concatenate(different))


if __name__ == '__main__':
  main()
