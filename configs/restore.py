"""Restore a film: --config=configs/restore.py --input=film.mkv."""

import ml_collections


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings of the pipeline. size: 'base', or 'tiny' (fast)."""
  tiny = {'base': False, 'tiny': True}[size]
  c = ml_collections.ConfigDict()
  c.mode = 'restore'
  c.seed = 0

  # The network: the name of shipped weights, a folder, a file, or a hub id
  # (user/name, hf://user/name@revision). '': none; classical stages restore.
  c.weights = '' if tiny else 'restorer'

  # What may be changed: 'full' (tone, denoise, fill) or 'repair' (fill only;
  # outside the damage every pixel stays as it is).
  c.composite = 'full'
  # Upper limits in [0, 1]; the automatic choice stays at or below them.
  c.strength = dict(scratch=1.0, dust=1.0, noise=0.8, flicker=1.0, blur=0.5,
                    tone=0.0)
  # ('auto',) measures and chooses; otherwise the names of the stages to run,
  # of preprocess, match, detect, restore (the network), classical, moving,
  # composite, optimise, output.
  c.stages = ('auto',)

  # How damage is filled and noise taken out (pipeline/classical.py).
  c.fill = 'inpaint' if tiny else 'temporal_median'
  c.inpaint = 'telea'
  c.denoiser = 'nlm' if tiny else 'auto'

  c.window = 24  # Frames that are worked on at once...
  c.lookahead = 10  # ...and frames around them to look at.
  c.tile = 1024  # Larger frames are cut into tiles of this side, px...
  c.overlap = 64  # ...that overlap by this much, px.

  # Interlaced and telecined film, as measured: 'auto' and 'double' make a frame
  # of each field (nothing is lost), 'same' a frame of each frame; both undo
  # telecine. 'keep': restored field by field, and interlaced again. 'off'.
  c.interlace = 'auto'
  # kind 'weave' (of a film's gate) or 'shake' (of a hand); strength 0 leaves
  # the picture where it is, 1 holds it still. Only in mode full.
  c.stabilise = dict(kind='weave', strength=0.0)
  # Repeats and losses are looked for in every film, and told in the report.
  # 'leave' them; 'replace' copies that stand in for lost frames by what lies
  # between; 'collapse': leave out what is shown twice, the frame before is
  # shown for longer; 'insert' lost frames where the timestamps have room;
  # 'all' three. What is made is invented, every pixel. Mode full.
  c.repeats = 'leave'
  # Faces: 'protect' (nothing is made up in a face beyond the damage, and where
  # it no longer is the person it was, less is restored) or 'off'. detector,
  # embedder: ONNX files of yours (of YuNet; as SFace); '': those that ship.
  # threshold: the cosine of input and output below which less is restored.
  c.faces = dict(policy='protect', detector='', embedder='', threshold=0.75)
  # Faces made unrecognisable: 'none', 'blur', 'pixelate', 'replace'. keep:
  # numbers of face tracks that are spared, of the report of a run that hides
  # all. Only in mode full.
  c.redact = dict(faces='none', keep=())
  # Names of places, people and devices in the metadata are left out.
  c.keep_private_metadata = False
  # Rain, snow, sparks, birds: 'keep' leaves what flies on from frame to frame
  # where it is; 'ignore' takes it for the dust that it looks like.
  c.moving = 'keep'
  c.mask = ''  # Damage marked by hand: a picture, a folder, or a video.
  # The mask decides: white is damage, black is none and stays as it is; where
  # it is grey the program decides. Else white adds to what is found.
  c.mask_overrides = False

  # Answers of the network to be chosen from, where it has several: those with
  # noise (gan), or with the weights of fills (vae; configs/fills.py).
  c.num_samples = 1
  c.fills = ''
  # A JSON file of what a person decided shot by shot (docs/trust.md): sample,
  # strength, stages. Then, or with keep_segments or several samples, what is
  # finished is kept in the workdir: with other decisions only their shots are
  # made anew.
  c.decisions = ''
  c.keep_segments = False
  # Of an input that runs by itself (a camera, rtsp://..., a pipe, -): frames
  # that are waited for, and how it is coded (v4l2, mpegts, ...; '': found).
  # keep_up: whether frames get cheaper settings rather than late; -1: yes,
  # unless the input waits by itself, as pipes do. weights: of its network;
  # 'auto': those above, but 'live', which are faster, for 'restorer', if they
  # ship; '': none, and noise alone is taken out, by a mean of the last frames.
  # sends: how a film goes to --output=-: 'yuv4mpegpipe' (y4m), 'matroska', or
  # 'auto', as it came. whole: a pipe is first kept on the disk until it ends,
  # and then restored as any film is, by two passes and not live.
  c.live = dict(lookahead=0, format='', keep_up=-1, weights='auto',
                sends='auto', whole=False)

  c.report = not tiny  # Also report.html in the workdir: a page for everybody.
  # Of --mode=explain: also which pixels and frames of the source made the
  # network decide where the frame has most damage (a minute or two).
  c.attribution = False
  c.progress = 'text'  # On stderr; 'json': an object a line; or 'none'.
  # Sound: strength of each repair in [0, 1], or -1: as it is measured, which
  # often is none. level brings the loudness towards -23 LUFS.
  c.audio = dict(clicks=-1.0, hum=-1.0, hiss=-1.0, clipping=-1.0, level=0.0)
  c.frame_rate = 24.0  # Of a folder of pictures; a video has its own.
  # codec: 'auto' (.mp4 H.264, .mkv FFV1, .mov ProRes, a folder PNG), or h264,
  # h265, av1, ffv1, prores, png, tiff. bits of a sample: 8, 10, 12, 16, or 0,
  # the source's. grain: share of what denoising took out that is given back, in
  # its own spectrum; -1: none, but for fills in mode repair, which get as much
  # as their surroundings have. checksums: also write <output>.framemd5.
  # layers: what was done at each pixel (docs/trust.md), as 'tracks' of an MKV
  # or 'files' beside the film; 'auto': tracks in lossless MKV; 'none'.
  # keep_original: the source travels in an MKV, or lies beside other outputs;
  # --mode=restore-original gives it back bit for bit.
  # upscale: 2 doubles width and height, by the weights c.upscaler; what lies
  # between the source's pixels is invented, their means are kept.
  c.output = dict(codec='auto', crf=16, bits=0, grain=-1.0, checksums=False,
                  layers='auto', keep_original=False, upscale=1)
  c.upscaler = 'upscaler'  # A name of shipped weights, a folder, or a file.

  # file: a consent.json (docs/trust.md); it must cover what is done, today.
  # required: no film without one.
  c.consent = dict(file='', required=False)
  # sign: each film carries, or has beside it, a signed C2PA statement of what
  # was done. key, certificate: PEM files; without them a local, untrusted
  # credential. anchors: PEM file of whom --mode=verify is to trust.
  c.provenance = dict(sign=True, key='', certificate='', anchors='')
  # visible: the word 'restored' in a corner; invisible: an id of the run in
  # the light of every frame, which survives coding. Only in mode full.
  c.mark = dict(visible=False, invisible=False)

  # Whether what decodes the film is a process of its own, without rights and
  # with limits of memory and time: 'auto' (for folders and lists of films),
  # 'on', or 'off'.
  c.sandbox = 'auto'
  # Of --mode=export, which writes c.weights as programs that run without the
  # code of the network: for which of cpu, cuda, rocm, tpu, and in which of
  # float32 (taken on CPUs), bfloat16 (elsewhere). check: they are run, too.
  c.export = dict(
      platforms=('cpu', 'cuda', 'tpu'),
      dtypes=('float32',) if tiny else ('float32', 'bfloat16'), check=True)
  # key: what the run, its notes and the film are sealed with (docs/trust.md):
  # 'keyring', 'file:PATH', 'passphrase', or '': they are not. A passphrase is
  # asked for, or taken from REVIVE_JAX_PASSPHRASE or from a file.
  c.encrypt = dict(key='', passphrase_file='')
  return c
