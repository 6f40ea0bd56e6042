// One frame: before and after, what lies over it, and the brush.
import {Part, ask, choice, framed, make, say, slider, split, t}
  from './ask.js';
import {Brush} from './brush.js';

const kept = {split: 50, over: 'none', tool: 'look', scope: 'frame', zoom: 1,
  size: 12};
const LEGENDS = ['damage', 'uncertainty', 'origin'];

export class View extends Part {
  fill(data) {
    this.data = data;
    this.at = data.frame;
    this.version = 0;
    this.layers = [];
    this.build();
    this.brush.use(kept);
    this.load();
  }

  leave() { clearTimeout(this.timer); }

  build() {
    const {width, height, hides} = this.data;
    this.after = make('img', {className: 'after', alt: t('alt_after')});
    this.before = make('img', {className: 'before', alt: t('alt_before')});
    this.over = make('img', {className: 'over', alt: '', hidden: true});
    this.stage = make('div', {className: 'stage'}, this.after, this.before,
        this.over);
    this.stage.style.aspectRatio = `${width} / ${height}`;
    this.range = split(this.stage, kept);
    // Where faces are hidden nobody may see the film before.
    this.classList.toggle('is-alone', hides);
    this.brush = new Brush(this.stage, width, height, () => this.painted(),
        () => this.unpainted());
    this.busy = make('div', {className: 'busy', hidden: true}, t('busy'));
    this.stage.append(this.busy);
    this.scroller = framed(this.stage, width / height);
    this.said = make('p', {className: 'said'});
    this.said.setAttribute('role', 'status');
    this.warned = make('div', {className: 'warned'});
    this.answers = make('div', {className: 'answers'});
    this.legend = make('p', {className: 'legend'});
    this.append(this.overs(), this.scroller, this.frames(), this.said,
        this.warned, this.legend, this.several(), this.tools());
    this.zoomed(kept.zoom);
  }

  overs() {
    return choice(t('over'), 'desk-over', [['none', t('over_none')],
      ...LEGENDS.map((name) => [name, t(`over_${name}`)])], kept.over,
    (value) => { kept.over = value; this.lay(); });
  }

  frames() {
    const {start, stop} = this.data;
    const {label, input, value} = slider(t('frame'), {min: start,
      max: stop - 1, step: 1, value: this.at}, (n) => this.go(n));
    this.place = {input, value};
    const step = (by, text, sign) => {
      const button = make('button', {type: 'button', title: text,
        className: 'desk-button', onclick: () => this.go(this.at + by)}, sign);
      button.setAttribute('aria-label', text);
      return button;
    };
    const zoom = slider(t('zoom'), {min: 1, max: 8, step: 1, value: kept.zoom},
        (n) => this.zoomed(n));
    return make('div', {className: 'row'}, make('div', {className: 'steps'},
        step(-1, t('frame_back'), '◀'), label, step(1, t('frame_on'), '▶')),
    zoom.label);
  }

  /** All answers that there are to choose from, on this frame. */
  several() {
    if (this.data.answers < 2) return this.answers;
    const show = make('button', {type: 'button', className: 'desk-button'},
        t('answers_show'));
    show.onclick = async () => {
      show.disabled = true;
      say(this.said, t('busy'));
      const [at, {film}] = [this.at, this.data];
      try {
        const found = await ask(`${film}/answers/${at}`, {method: 'POST'});
        say(this.said, '');
        pictures.replaceChildren(...found.versions.map((version, n) =>
          make('figure', {}, make('img', {alt: t('answer', {number: n + 1}),
            src: `/desk/${film}/answer/${n}/${at}?v=${version}`}),
          make('figcaption', {}, t('answer', {number: n + 1})))));
      } catch (error) {
        say(this.said, error.message, true);
      }
      show.disabled = false;
    };
    const pictures = make('div', {className: 'answer-row'});
    this.answers.append(show, pictures);
    return this.answers;
  }

  tools() {
    const use = () => {
      this.brush.use(kept);
      this.range.disabled = kept.tool !== 'look';
      this.classList.toggle('is-painting', kept.tool !== 'look');
      this.lay();
    };
    const tool = choice(t('tool'), 'desk-tool', [['look', t('tool_look')],
      ['paint', t('tool_paint')], ['erase', t('tool_erase')]], kept.tool,
    (value) => { kept.tool = value; use(); });
    const scope = choice(t('scope'), 'desk-scope', [
      ['frame', t('scope_frame')], ['shot', t('scope_shot')]], kept.scope,
    (value) => { kept.scope = value; this.fetchMask(); });
    const size = slider(t('brush'), {min: 1, max: 80, step: 1,
      value: kept.size}, (n) => { kept.size = n; this.brush.use(kept); });
    const button = (text, done) => make('button', {type: 'button',
      className: 'desk-button', onclick: done}, text);
    this.onchange = use;
    use();
    return make('details', {className: 'tools', open: true},
        make('summary', {}, t('tools')),
        make('p', {className: 'soft'}, t('tools_help')), tool, scope,
        make('div', {className: 'row'}, size.label,
            button(t('undo'), () => this.brush.undo()),
            button(t('clear'), () => this.brush.clear())));
  }

  zoomed(n) {
    kept.zoom = n;
    this.stage.style.width = `${100 * n}%`;
  }

  url(kind, rest = '') {
    return `/desk/${this.data.film}/${kind}/${this.at}?v=${this.version}${rest}`;
  }

  go(n) {
    n = Math.min(Math.max(n, this.data.start), this.data.stop - 1);
    if (n === this.at) return;
    this.at = n;
    this.place.input.value = this.place.value.textContent = n;
    this.load();
  }

  /** A frame: the source's at once, the rest when it is made. */
  async load() {
    this.answers.querySelector('.answer-row')?.replaceChildren();
    if (!this.data.hides) {
      this.before.src = `/desk/${this.data.film}/frame/${this.at}`;
    }
    this.after.removeAttribute('src');
    this.over.hidden = true;
    this.fetchMask();
    this.changed(150);
  }

  /** What is shown is no longer what the settings give. */
  changed(wait = 300) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.preview(), wait);
  }

  async preview() {
    if (this.isWorking) { this.isStale = true; return; }
    this.isWorking = true;
    this.busy.hidden = false;
    const [at, {film}] = [this.at, this.data];
    try {
      await this.brush.saved;
      const found = await ask(`${film}/preview/${at}`, {method: 'POST'});
      if (at === this.at && film === this.data.film) this.show(found);
    } catch (error) {
      say(this.said, error.message, true);
    }
    this.isWorking = false;
    this.busy.hidden = true;
    if (this.isStale && this.isConnected) {
      this.isStale = false;
      this.preview();
    }
  }

  show(found) {
    this.version = found.version;
    this.layers = found.layers;
    this.after.src = this.url('after');
    say(this.said, found.said);
    this.warned.replaceChildren(...found.warnings.map((text) => make('p',
        {className: 'note'}, text)));
    this.lay();
    this.dispatchEvent(new CustomEvent('desk-shown', {bubbles: true}));
  }

  /** The layer over the picture, and what its colours mean. */
  lay() {
    const name = kept.tool === 'look' ? kept.over : 'damage';
    const there = name !== 'none' && this.layers?.includes(name);
    this.over.hidden = !there;
    if (there) {
      this.over.src = this.url(`layer/${name}`);
      this.over.alt = t(`over_${name}`);
    }
    this.brush.canvas.hidden = name !== 'damage';
    this.legend.innerHTML = name === 'none' ? '' : t(`legend_${name}`);
    this.range.disabled = kept.tool !== 'look';
  }

  /** Of what a mark is: this frame, or the whole shot. */
  whose() {
    return kept.scope === 'shot' ? `shot/${this.data.shot}` : `frame/${this.at}`;
  }

  async fetchMask() {
    try {
      await this.brush.load(
          `/desk/${this.data.film}/mask/${this.whose()}`);
      if (this.said.textContent === t('paint_lost')) say(this.said, '');
    } catch (error) {
      say(this.said, error.message, true);
    }
  }

  /** Nothing is painted over what has not come; it is asked for again. */
  unpainted() {
    say(this.said, t('paint_lost'), true);
    if (this.brush.isLost) this.fetchMask();
  }

  /** Keeps what was painted, and shows what comes of it. */
  painted() {
    if (!this.brush.isLoaded) return;  // It is kept when the rest has come.
    const whose = this.whose();
    const blob = this.brush.blob();  // As it is now.
    // One after the other: an earlier one must not come last.
    this.brush.saved = this.brush.saved.then(() => blob).then((body) => ask(
        `${this.data.film}/mask/${whose}`, {method: 'PUT', body})).catch(
        (error) => say(this.said, error.message, true));
    this.changed();
  }
}
