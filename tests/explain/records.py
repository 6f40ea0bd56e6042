"""Records of restored films, and pictures of them, for the tests."""

import cv2
import numpy as np


def record(num_shots=2):
  """A record of a film of 10 frames a shot."""
  def measured(i, noise):
    return {'start': 10 * i, 'end': 10 * i + 10, 'noise_sigma_of_255': noise,
            'flicker_percent': 2.0, 'dust_per_10000_pixels': 3.5,
            'scratches_per_10000_pixels': 0.0, 'cracks_percent': 0.0,
            'edge_width_pixels': None, 'levels': [0.1, 0.9], 'grey': False,
            'jitter_pixels': 0.5}
  return {
      'schema': 1,
      'input': {'path': '/films/<i>grandma.mkv', 'kind': 'video', 'width': 64,
                'height': 48, 'frames': 10 * num_shots, 'frame_rate': 20.0,
                'codec': 'ffv1', 'pixel_format': 'bgr0', 'audio': []},
      'measured': [measured(i, 5.1) for i in range(num_shots)],
      'measured_after': [measured(i, 1.25) for i in range(num_shots)],
      'shots': [{
          'start': 10 * i, 'end': 10 * i + 10, 'key_frame': 10 * i + 3,
          'stages': [{'name': 'restore', 'strength': 0.8,
                      'why': 'noise of 5.1 of 255: treated; damage is found'}],
          'share': {'changed': 0.9, 'damaged': 0.02, 'moved': 0.015,
                    'invented': 0.005},
          'seen': {'mean_change_of_255': 4.5, 'share_by_origin': {
              'kept': 0.1, 'denoised': 0.88, 'moved': 0.015,
              'invented': 0.005},
                   'doubt': {'mean_deviation_of_255': 3.2,
                             'unsure_percent': 1.5},
                   'matches': {'points': 140, 'confirmed': 131}},
      } for i in range(num_shots)],
      'choice': {'told': 'says what the program decided.', 'shots': [[{
          'repair': 'noise', 'rules': ['noise of 5.1 > 2 of 255'],
          'verdict': 'repair', 'done': 'repair', 'because': ''}]] * num_shots},
      'quality': {},
      'speed': {'frames': 10 * num_shots, 'seconds': 7.5,
                'measuring_seconds': 1.5, 'frames_per_second': 2.7,
                'peak_memory_mb': 900.0},
      'outputs': [{'path': '/out/grandma.mkv', 'frames': 10 * num_shots}],
      'weights': 'restorer, 8119 steps, sha256 abc' + 60 * '0',
      'calibration': None,
      'settings': {'composite': 'full', 'strength': {'noise': 0.8}},
      'warnings': ['A packet was lost.'],
      'concealed': [{'frame': 7, 'time': '00:00:00.350', 'how': 'repeated'}],
      'interlace': {'segments': []},
      'events': [{'kind': 'repeat', 'frame': 4, 'count': 1,
                  'time': '00:00:00.200', 'done': 'left', 'why': ''}],
      'faces': {'policy': 'protect', 'tracks': [
          {f'a_long_name_of_something_{i}': 0.5 for i in range(6)}]},
      'sound': []}


def pictures(num_shots=2, size=(240, 320)):
  """Pictures as gather keeps them, and their bytes by file."""
  found, data = [], {}
  height, width = size
  y, x = np.mgrid[:height, :width]
  for shot in range(num_shots):
    for kind, color in (('before', (200, 60, 60)), ('after', (60, 60, 200)),
                        ('damage', (80, 80, 80)), ('doubt', (68, 1, 84)),
                        ('matches', (90, 90, 90)), ('sheet', (60, 200, 60)),
                        ('sheet', (60, 200, 60))):
      name = f'{len(data):06d}.jpg'
      picture = np.full((height, width, 3), color, np.uint8)
      picture[(x // 16 + y // 16) % 2 > 0] //= 2
      data[name] = cv2.imencode('.jpg', picture[..., ::-1])[1].tobytes()
      more = dict(other=10 * shot + 4, longer=5, median_pixels=1.2) if (
          kind == 'matches') else {'both': True}
      found.append({'file': name, 'shot': shot, 'kind': kind,
                    'frame': 10 * shot + 3, 'width': width, 'height': height,
                    **more})
  return found, data
