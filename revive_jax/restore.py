"""Restore: a film in, a repaired film out; stopped runs go on."""

import collections
from collections.abc import Callable, Iterator
import functools
import itertools
import resource
import time
from typing import Any

from absl import logging
import ml_collections

from revive_jax import (
    ahead,
    companions,
    files,
    identity,
    networks,
    progress,
    reporting,
    sealing,
    second_look,
    settings,
    statement,
    types,
)
from revive_jax import plans as plans_lib
from revive_jax import workdir as workdir_lib
from revive_jax.audio import film
from revive_jax.explain import gather, record
from revive_jax.models import weights
from revive_jax.pipeline import (
    choose,
    decisions,
    face_tracks,
    fit,
    motion,
    run,
    shares,
    survey,
    tally,
    timeline,
    upscale,
)
from revive_jax.pipeline import restore as learned_lib
from revive_jax.pipeline import segments as segments_lib
from revive_jax.privacy import metadata
from revive_jax.video import (
    deinterlace,
    extras,
    layers,
    masks,
    parts,
    passage,
    probe,
    reader,
    sandbox,
    sheet,
    space,
    target,
    writer,
)

_AHEAD = 16  # Frames that are decoded before they are needed.


def restore(
    c: ml_collections.ConfigDict, workdir: str, source: str,
    destination: str | None = None,
    *, see: Callable[[types.Clip], None] | None = None, anew: bool = False,
) -> dict[str, Any]:
  """Restores the film at source, and returns the report.

  What is finished is kept in workdir/segments until the whole film is: the
  same call goes on where a killed one was, and the film is the same as of one
  that was not stopped.

  Args:
    c: configs/restore.py.
    workdir: gets config.json and report.json, and the film if destination is
      None.
    source: a video, a folder of pictures, or a picture.
    destination: where the film goes: .mp4, .mkv, a folder, or, for a picture,
      a picture.
    see: is given each window when it is finished, in order; not those of an
      earlier run.
    anew: do not go on with an earlier run.

  Raises:
    types.BadInput: anything the user can set right.
  """
  settings.check(c)
  if not source:
    raise types.BadInput('There is no input; name a film with --input.')
  workdir, source, destination = sealing.places(c, workdir, source, destination)
  source = sandbox.guarded(source, c.sandbox)
  info = probe.probe(source, frame_rate=c.frame_rate)
  if destination is None:
    destination = target.default_output(
        workdir, upscale.enlarged(info, c.output.upscale))
  settings.check_film(c, info)
  made = identity.of(c, info, destination)
  companions.check(c, workdir, destination, target.choose(
      destination, info, c.output.codec, c.output.bits or 'auto'))
  again = settings.keeps_segments(c)  # Perhaps with other decisions.
  if not again and (report := reporting.whole_already(
      workdir, made, destination)) is not None:
    return report
  writer.check_output(
      destination, upscale.enlarged(info, c.output.upscale),
      codec=c.output.codec, bits=c.output.bits or 'auto')
  found = weights.read_weights(c.weights) if c.weights else None
  network = networks.make_network(found, c) if found else None
  enlarger = upscale.load(c.output.upscale, c.upscaler)
  with workdir_lib.opened(workdir) as folder:
    kept = segments_lib.opened(folder / 'segments', made, anew=anew)
    workdir_lib.write_json(folder / 'config.json', c.to_dict())
    report = upscale.noted(Film(
        c, info, files.name(destination), kept, network, see, enlarger
    ).restored(), enlarger)
    if found and any(stage['name'] == 'restore' for shot in report['shots']
                     for stage in shot['stages']):
      report['weights'] = networks.described(found, c.fills)
    report['speed']['peak_memory_mb'] = peak_memory()
    reporting.write(folder, report, kept)
    report['speed']['peak_memory_mb'] = peak_memory()
    kept.keep_joined(report)
    workdir_lib.write_json(folder / 'report.json', report)
    if not again:
      kept.remove()
  return report


class Film:
  """One film on its way through; what is finished lies in its segments."""

  def __init__(self, c, info, destination, kept, network, see, enlarger):
    self.c, self.source, self.info, self.kept = c, info, info, kept
    self.decision = None  # What is done with fields: see measured.
    self.network, self.see, self.enlarger = network, see, enlarger
    self.looks = None  # What measures the film while it is restored.
    self.destination = destination
    self.target = target.choose(
        destination, self.larger, c.output.codec, c.output.bits or 'auto')
    self.layers = layers.form(c.output.layers, self.target)
    self.extras, left_out = metadata.kept(
        extras.read(info.path if info.kind == 'video' else ''),
        keep=c.keep_private_metadata, hides=c.redact.faces != 'none')
    self.decided = decisions.read(c.decisions and sealing.beside(
        c.decisions, kept.folder))
    self.faces = face_tracks.Faces(c.faces.to_dict(), c.redact.to_dict())
    self.statement = statement.Statement(
        c, info, destination, kept.folder.parent)
    self.warnings = [
        *self.statement.warnings, *left_out, *companions.left(
            info, destination, keeps=c.output.keep_original, form=self.layers)]
    if c.get('notice') == 'tag' and self.target.kind != 'dicom':
      self.warnings.append(
          f'{destination}: only DICOM carries the notice that pixels were '
          'restored as a tag; set --config.notice=burn to have it in the '
          'picture.')
    self.is_deep = max(info.bit_depth, self.target.layout.bits) > 8

  @property
  def larger(self) -> probe.VideoInfo:
    """The film as it is written, perhaps larger than it is worked on."""
    return upscale.enlarged(self.info, self.c.output.upscale)

  @property
  def spares_memory(self) -> bool:
    """Whether more may be done at once."""
    return fit.spares_memory(height=self.info.height, width=self.info.width)

  def restored(self) -> dict[str, Any]:
    """Measures, restores and joins; returns the report."""
    start = time.monotonic()
    if self.source.frame_count:
      self.check_space(self.source.frame_count)
    (found, plans), measuring = self.prepared(), time.monotonic() - start
    shots, num_frames = found.shots, len(found.stamps)
    if not self.source.frame_count:
      self.check_space(num_frames)
    try:
      done = self.restore(shots, plans, num_frames)
      return self.joined(found, plans, done, start, measuring)
    finally:
      if self.looks:
        self.looks.close()

  def joined(self, found, plans, done, start, measuring) -> dict[str, Any]:
    """Joins what is restored to the film; returns the report.

    Args:
      found: of prepared.
      plans: as well.
      done: frames that were restored in this run.
      start: when it began, by the monotonic clock, s.
      measuring: s.
    """
    shots, num_frames = found.shots, len(found.stamps)
    sound, timed = self.sound(), [n['timing'] for n in self.kept.notes]
    tallies = tally.summed(self.kept.notes, len(shots))
    self.statement.say(plans, tallies, num_frames, sound.report,
                       self.decided.rows(shots))
    written = parts.join(
        self.destination, self.kept.files(),
        [parts.Part(**notes['part']) for notes in self.kept.notes],
        self.larger, self.target, self.extras,
        expected_frames=timeline.num_frames(self.planned, timed),
        checksums=self.c.output.checksums, sound=sound.files,
        finish=self.statement.embed,
        layers=self.kept.files(layers=True), form=self.layers,
        keep_original=self.c.output.keep_original)
    seconds = time.monotonic() - start
    return reporting.add(record.record(
        self.info, shots=shots, plans=plans, tallies=tallies, written=written,
        speed=dict(frames=num_frames, seconds=round(seconds, 2),
                   measuring_seconds=round(measuring, 2),
                   frames_per_second=round(done / seconds, 3)),
        settings=self.c.to_dict(), concealed=found.concealed,
        motion=motion.described(
            shots, plans, size=(self.info.height, self.info.width)),
        events=[record.event(e, self.info, found.stamps)
                for e in timeline.done(self.planned, timed)],
        warnings=[*dict.fromkeys([*self.warnings, *written.warnings])]
    ) | {'interlace': deinterlace.report(self.decision),
         'decisions': self.decided.rows(shots),
         'faces': self.faces.report([n['faces'] for n in self.kept.notes]),
         'sound': sound.report} | self.statement.report(), written.path,
        shots=shots, plans=plans, notes=self.kept.notes,
        decision=self.decision, found=self.looks and self.looks.result())

  def prepared(
      self, *, restores: bool = True
  ) -> tuple[survey.Survey, list[choose.Plan]]:
    """What is in the film, and the stages of each of its shots.

    restores: whether this process goes on to restore; if so the network's
      program is compiled meanwhile.
    """
    found = self.measured(restores)
    decisions.check(self.decided, found.shots, self.c.num_samples)
    self.stamps = [] if found.concealed else found.stamps
    self.planned = timeline.plan(
        found.shots, found.stamps, self.c.repeats, concealed=found.concealed,
        by_field=self.decision.by_field, timed=self.target.kind == 'video')
    self.warnings += timeline.warnings(self.planned)
    self.wanted = gather.NOTHING if not self.c.report else gather.wanted(
        found.shots, hides=self.c.redact.faces != 'none')
    return found, self.plans(found.shots)

  def sound(self) -> film.Sound:
    """The sound tracks, repaired where that is called for."""
    found = film.restore(
        self.source, files.suffix(self.target.path),
        self.kept.path('sound'), strength=settings.sound_strength(self.c),
        said=lambda sentence: logging.info('%s', sentence))
    for number, picture in found.pictures.items():
      sheet.write_png(
          self.kept.folder.parent / f'sound_{number}.png', picture)
    self.warnings += found.warnings
    return found

  def measured(self, restores: bool = True) -> survey.Survey:
    """The film, read through; or what an earlier run found in it."""
    before = self.kept.measured()
    if before is not None:
      self.decision = deinterlace.unpacked(before['interlace'])
      self.info = deinterlace.retimed(self.source, self.decision)
      self.warnings += before['warnings']
      self.faces.know(before['faces'])
      return survey.unpacked(before)
    self.decision = reader.decide_interlace(
        self.source, self.c.interlace, warn=self.warnings.append,
        shown=functools.partial(
            progress.show, total=self.source.frame_count,
            label='Looking for fields', form=self.c.progress))
    self.info = deinterlace.retimed(self.source, self.decision)
    if restores and not self.decision.by_field(0):
      self.network = networks.compiled_ahead(self.network, self.info, self.c)
    found = survey.survey(
        self.source, self.info, self.decision, warn=self.warnings.append,
        look=self.faces.look, steadies=self.c.stabilise.strength > 0,
        form=self.c.progress)
    self.kept.keep_measured(survey.packed(found) | {
        'interlace': deinterlace.packed(self.decision),
        'warnings': self.warnings,
        'faces': self.faces.found([(s.start, s.stop) for s in found.shots])})
    return found

  def plans(self, shots):
    """The stages of each shot."""
    return plans_lib.make(
        self.c, shots, self.planned, faces=self.faces, decided=self.decided,
        network=self.network, is_deep=self.is_deep, marked=bool(self.c.mask))

  def check_space(self, num_frames) -> None:
    """Warns, or refuses, where the disk cannot hold what is left to do."""
    said = space.check(space.needed(
        self.target, self.info, self.larger, num_frames, self.kept.frames,
        folder=self.kept.folder, copies=self.statement.copies,
        layers=self.layers, keeps_original=self.c.output.keep_original))
    for sentence in said:
      logging.warning('%s', sentence)
    self.warnings += said

  def work(self, shots) -> shares.Work:
    """What there is to do: the film's windows and segments."""
    return shares.work(
        shots, self.c, height=self.info.height, width=self.info.width,
        by_shot=settings.keeps_segments(self.c))

  def restore(self, shots, plans, num_frames, share=()) -> int:
    """Finishes the segments that are not there yet, or those of share.

    Returns how many frames they are.
    """
    c, work = self.c, self.work(shots)
    groups, starts = work.groups, {*work.first, num_frames}
    to_do = [*share] or decisions.to_do(
        self.kept.notes, groups, work.first, self.decided)
    if not to_do:
      return 0
    finished = num_frames - shares.frames_of(work, to_do)
    if finished and not share:
      logging.warning('Going on after %d of %d frames.', finished, num_frames)
    # Where shots are made anew nothing is gone on with.
    arrays = dict(self.kept.memory() or {}) if (
        to_do[0] == len(self.kept.notes)) else {}
    again = shares.again(work, plans, to_do[0]) if share else []
    self.timing = timeline.Timing(
        self.planned, arrays.pop(timeline.KEPT, None))
    frames = passage.read_from(
        self.source, self.stamps, decision=self.decision,
        start=shares.first_read(work, plans, to_do[0]) if share else 0)
    windows = run.run(
        ahead.ahead(frames, _AHEAD), shots, plans, window=work.window,
        context=work.context, tile=c.tile, overlap=c.overlap,
        masks=self.marks(num_frames), network=self.network,
        only=again + decisions.windows_of(to_do, groups),
        memory=learned_lib.unpacked(arrays) if arrays else None,
        beside=self.spares_memory)
    for _ in again:
      next(windows)
    # The next window is restored while the one before it is coded.
    windows = ahead.ahead(windows, 1)
    counted = progress.show(
        itertools.repeat(None), total=num_frames, done=finished,
        label='Restoring', form=c.progress)
    if not share and self.spares_memory and second_look.can_be(
        c, self.target, self.decision):
      self.looks = second_look.begin(
          self.kept, shots, groups, to_do, info=self.info, target=self.target,
          extras=self.extras)
    try:
      for before, number in zip([to_do[0] - 1, *to_do], to_do, strict=False):
        if number != before + 1:
          self.timing = timeline.Timing(self.planned, None)
        self.segment(number, groups, windows, counted, starts)
        if self.looks:
          self.looks.finished(number)
    finally:
      windows.close()
      counted.close()
    return num_frames - finished

  def marks(self, num_frames):
    """The user's mask of each frame, or None."""
    if not self.c.mask:
      return None
    try:
      return masks.read_masks(
          sealing.beside(self.c.mask, self.kept.folder), self.info, num_frames,
          overrides=self.c.mask_overrides)
    except types.BadInput as error:
      if not self.decision.changes:
        raise
      raise types.BadInput(
          f'{error} (Its fields were taken apart; with --config.interlace=keep '
          'or off the film has the frames of the file.)') from error

  def segment(self, number, groups, windows, counted, starts) -> None:
    """One segment: coded, and sealed. starts: the first frames of shots."""
    own, memory, tallies = groups[number], [None], collections.defaultdict(
        lambda: dict.fromkeys(tally.COUNTED, 0))
    people = {}  # What was done to faces.
    mark = self.statement.marker()
    seen = gather.Segment(self.kept.folder, number, self.wanted)

    def frames() -> Iterator[writer.OutputFrame]:
      for part in itertools.islice(windows, len(own)):
        memory[0] = part.memory
        face_tracks.note(people, part)
        if self.see is not None:
          self.see(part.clip)
        seen.see(part.clip, part.shot, part.frames[0].index)
        counts = tallies[part.shot]
        finished = zip(tally.output_frames(
            part, counts, is_deep=self.is_deep,
            layered=self.layers != 'none'), counted, strict=False)
        for frame in self.timing.frames(
            part, (frame for frame, _ in finished), counts):
          yield mark(frame, counts)
        del part, finished  # Or it would stay while the next is waited for.

    name, shown = parts.name(number, self.target), frames()
    beside = layers.part_name(name)
    if self.layers != 'none':
      shown = layers.beside(shown, self.kept.path(beside), self.info,
                            always=('spread',) if self.c.fills else ())
    coded = parts.write(
        self.kept.path(name), upscale.frames(shown, self.enlarger), self.larger,
        self.target, self.extras, crf=self.c.output.crf, seed=self.c.seed)
    names = parts.files(self.kept.folder, name)
    names += [beside] if self.layers != 'none' else []
    # What no window looks back at need not be kept.
    following, arrays = own[-1].core_stop, {}
    if following not in starts:
      arrays = self.timing.kept(following) | (
          learned_lib.packed(memory[0]) if memory[0] else {})
    self.kept.seal(
        {'part': coded._asdict(), 'tallies': dict(tallies), 'seen': seen.notes,
         'faces': people, 'timing': self.timing.notes(),
         'frames': following - own[0].core_start,
         'decision': self.decided.of(max(tallies)).what()},
        names, arrays or None, seen.files, number)


def peak_memory() -> float:
  """Largest resident memory of this process so far, MB."""
  return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
