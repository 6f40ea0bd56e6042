// Before and after in motion, and what can be taken home.
import {Part, ask, framed, make, say, slider, split, t} from './ask.js';

const kept = {split: 50, zoom: 1};

export class Result extends Part {
  async fill({film}) {
    this.film = film;
    this.said = make('p', {className: 'said'});
    this.said.setAttribute('role', 'status');
    this.motion = make('div');
    this.append(make('h3', {}, t('compare')), this.said, this.motion);
    try {
      this.append(this.downloads((await ask(`${film}/result`)).files));
      await this.prepare();
    } catch (error) {
      say(this.said, error.message, true);
    }
  }

  leave() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
  }

  /** Waits until the films that a browser can play are made. */
  async prepare() {
    const shot = document.querySelector('desk-view')?.data.shot ?? 0;
    const found = await ask(`${this.film}/play?shot=${shot}`);
    if (!found.ready) {
      say(this.said, t('play_making', {
        percent: Math.floor(100 * found.done / found.total)}));
      this.timer = setTimeout(() => this.prepare().catch(
          (error) => say(this.said, error.message, true)), 700);
      return;
    }
    say(this.said, '');
    this.build(found);
  }

  build({width, height, fps, start, stop, kinds, hides}) {
    this.fps = fps;
    this.start = start;
    this.count = stop - start;
    this.stage = make('div', {className: 'stage player'});
    this.stage.style.setProperty('--ratio', `${width} / ${height}`);
    const scroller = framed(this.stage, width / height);
    if (!kinds.length) {  // A single picture.
      const shown = hides ? ['restored'] : ['restored', 'frame'];
      this.stage.append(...shown.map((kind) => make('img', {
        className: kind === 'frame' ? 'before' : 'after',
        alt: t(kind === 'frame' ? 'alt_before' : 'alt_after'),
        src: `/desk/${this.film}/${kind}/0`})));
      if (!hides) split(this.stage, kept);
      this.motion.append(scroller);
      return;
    }
    const video = (kind) => {
      const element = make('video', {className: kind, muted: true,
        playsInline: true, preload: 'auto',
        src: `/desk/${this.film}/play/${kind}/${start}/${stop}`});
      element.setAttribute('aria-label', t(kind));
      return element;
    };
    this.after = video('after');
    // Where faces are hidden there is no film before.
    this.before = kinds.includes('before') ? video('before') : this.after;
    this.stage.append(this.after);
    if (this.before !== this.after) {
      this.stage.append(this.before);
      split(this.stage, kept);
    }
    this.motion.append(scroller, this.controls());
    this.zoomed(kept.zoom);
    this.follow();
    this.onkeydown = (event) => this.key(event);
  }

  controls() {
    const button = (name, text, done) => {
      const made = make('button', {type: 'button', title: text,
        className: `desk-button ${name}`, onclick: done});
      made.setAttribute('aria-label', text);
      return made;
    };
    this.play = make('button', {type: 'button', className: 'desk-button play',
      onclick: () => this.toggle()}, t('play'));
    const back = button('back', t('frame_back'), () => this.step(-1));
    back.textContent = '◀';
    const on = button('on', t('frame_on'), () => this.step(1));
    on.textContent = '▶';
    this.seek = slider(t('frame'), {min: 0, max: this.count - 1, step: 1,
      value: 0}, (n) => this.go(n));
    const zoom = slider(t('zoom'), {min: 1, max: 8, step: 1, value: kept.zoom},
        (n) => this.zoomed(n));
    const beside = make('input', {type: 'checkbox', onchange: () =>
      this.stage.classList.toggle('beside', beside.checked)});
    return make('div', {className: 'row'}, this.play,
        make('div', {className: 'steps'}, back, this.seek.label, on), zoom.label,
        make('label', {}, beside, ' ', t('beside')));
  }

  /** Space plays, comma and full stop step. */
  key(event) {
    if (event.target.matches('button, input[type=checkbox], a') &&
        event.key === ' ') return;
    const done = {' ': () => this.toggle(), ',': () => this.step(-1),
      '.': () => this.step(1)}[event.key];
    if (!done) return;
    event.preventDefault();
    done();
  }

  zoomed(n) {
    kept.zoom = n;
    this.stage.style.width = `${100 * n}%`;
  }

  get now() {
    return Math.min(Math.floor(this.before.currentTime * this.fps + 0.01),
        this.count - 1);
  }

  /** Both to a frame: the middle of its time, so that no rounding errs. */
  go(n) {
    this.before.pause();
    this.after.pause();
    n = Math.min(Math.max(n, 0), this.count - 1);
    this.before.currentTime = this.after.currentTime = (n + 0.5) / this.fps;
  }

  step(by) { this.go(this.now + by); }

  async toggle() {
    if (!this.before.paused) { this.go(this.now); return; }
    if (this.before.ended) this.before.currentTime = 0;
    this.after.currentTime = this.before.currentTime;
    try {
      await Promise.all([this.before.play(), this.after.play()]);
    } catch (error) {
      if (error.name !== 'AbortError') say(this.said, error.message, true);
    }
  }

  /** Once a picture: the second film is kept beside the first. */
  follow() {
    const {before, after} = this;
    if (!before.paused) {
      const apart = after.currentTime - before.currentTime;
      if (Math.abs(apart) > 0.15) after.currentTime = before.currentTime;
      else after.playbackRate = Math.min(Math.max(1 - 2 * apart, 0.8), 1.25);
    }
    const n = this.now;
    if (document.activeElement !== this.seek.input || !before.paused) {
      this.seek.input.value = n;
    }
    this.seek.value.textContent = n;
    const text = t(before.paused || before.ended ? 'play' : 'pause');
    if (this.play.textContent !== text) this.play.textContent = text;
    this.frame = requestAnimationFrame(() => this.follow());
  }

  downloads(files) {
    const list = (rows) => make('ul', {className: 'downloads'}, ...rows.map(
        ({kind, name, text, size}) => make('li', {}, make('a', {
          className: 'desk-button', download: name,
          href: `/desk/${this.film}/file/${kind}`}, text), ' ',
        make('span', {className: 'soft'}, `${name}, ${size}`))));
    const more = files.filter((file) => !file.is_main);
    return make('div', {}, make('h3', {}, t('take_home')),
        list(files.filter((file) => file.is_main)),
        more.length ? make('details', {}, make('summary', {}, t('more_files')),
            list(more)) : null);
  }
}
