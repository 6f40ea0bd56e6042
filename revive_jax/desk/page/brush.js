// The brush: red is damage, blue is none; what is not painted the program
// decides. Kept as the page's own picture, sent as white, black and nothing.
import {make, t} from './ask.js';

const COLORS = {paint: '#ff2030', erase: '#1e6bff'};
const MOST_UNDONE = 20;

export class Brush {
  /** changed: what was painted is another; refused: nothing can be painted. */
  constructor(stage, width, height, changed, refused) {
    this.canvas = make('canvas', {className: 'paint', width, height,
      tabIndex: 0});
    this.canvas.setAttribute('role', 'application');
    this.canvas.setAttribute('aria-label', t('paint_help'));
    this.pen = this.canvas.getContext('2d', {willReadFrequently: true});
    this.pen.lineCap = this.pen.lineJoin = 'round';
    this.ring = make('div', {className: 'ring', hidden: true});
    this.stage = stage;
    stage.append(this.canvas, this.ring);
    this.changed = changed;
    this.refused = refused;
    this.isLoaded = this.isLost = false;
    this.undone = [];
    this.cursor = [width / 2, height / 2];
    this.saved = Promise.resolve();
    this.listen();
  }

  use({tool, size}) {
    this.tool = tool;
    this.size = size;
    this.canvas.style.pointerEvents = tool === 'look' ? 'none' : 'auto';
    this.canvas.tabIndex = tool === 'look' ? -1 : 0;
    this.canvas.hidden = tool === 'look' && this.canvas.hidden;
    if (tool === 'look') this.ring.hidden = true;
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button) return;
      event.preventDefault();
      canvas.focus({preventScroll: true});
      if (!this.mayPaint()) return;
      canvas.setPointerCapture(event.pointerId);
      this.remember();
      this.last = this.point(event);
      this.line(this.last, this.last);
    });
    canvas.addEventListener('pointermove', (event) => {
      const points = event.getCoalescedEvents?.() ?? [];
      for (const one of points.length ? points : [event]) {
        const at = this.point(one);
        if (this.last) { this.line(this.last, at); this.last = at; }
        this.cursor = at;
      }
      this.showRing();
    });
    const end = () => {
      if (this.last) { this.last = null; this.changed(); }
    };
    canvas.addEventListener('pointerup', end);
    canvas.addEventListener('pointercancel', end);
    canvas.addEventListener('pointerleave', () => {
      if (document.activeElement !== canvas) this.ring.hidden = true;
    });
    canvas.addEventListener('keydown', (event) => this.key(event));
    canvas.addEventListener('focus', () => this.showRing());
    canvas.addEventListener('blur', () => { this.ring.hidden = true; });
  }

  /** Arrows move the brush, space paints, Shift moves far. */
  key(event) {
    const by = Math.max(1, this.size / 2) * (event.shiftKey ? 5 : 1);
    const move = {ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by],
      ArrowDown: [0, by]}[event.key];
    if (move) {
      const {width, height} = this.canvas;
      this.cursor = [Math.min(Math.max(this.cursor[0] + move[0], 0), width),
        Math.min(Math.max(this.cursor[1] + move[1], 0), height)];
      this.showRing();
    } else if (event.key === ' ' || event.key === 'Enter') {
      if (this.mayPaint()) {
        this.remember();
        this.line(this.cursor, this.cursor);
        this.changed();
      }
    } else if (event.key === 'z' && (event.ctrlKey || event.metaKey)) {
      this.undo();
    } else {
      return;
    }
    event.preventDefault();
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * this.canvas.width,
      (event.clientY - box.top) / box.height * this.canvas.height];
  }

  showRing() {
    const {width, height} = this.canvas;
    this.ring.hidden = this.tool === 'look';
    this.ring.style.left = `${100 * this.cursor[0] / width}%`;
    this.ring.style.top = `${100 * this.cursor[1] / height}%`;
    this.ring.style.width = `${100 * this.size / width}%`;
    this.ring.style.borderColor = COLORS[this.tool];
  }

  line(from, to) {
    this.isTouched = true;
    this.pen.strokeStyle = COLORS[this.tool];
    this.pen.lineWidth = this.size;
    this.pen.beginPath();
    this.pen.moveTo(...from);
    this.pen.lineTo(to[0] + 0.01, to[1]);
    this.pen.stroke();
  }

  all() {
    return this.pen.getImageData(0, 0, this.canvas.width, this.canvas.height);
  }

  remember() {
    this.undone.push(this.all());
    if (this.undone.length > MOST_UNDONE) this.undone.shift();
  }

  /** What is painted over what cannot be seen would replace it. */
  mayPaint() {
    const {isLost} = this;
    if (isLost) this.refused();  // Asks for it again.
    return !isLost;
  }

  undo() {
    const data = this.isLoaded && this.undone.pop();
    if (!data) return;
    this.pen.putImageData(data, 0, 0);
    this.changed();
  }

  clear() {
    if (!this.isLoaded) { this.refused(); return; }
    this.remember();
    this.pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.changed();
  }

  /** A PNG: white is damage, black is none, clear is left to the program. */
  blob() {
    const data = this.all();
    for (let i = 0; i < data.data.length; i += 4) {
      const white = data.data[i] > data.data[i + 2] ? 255 : 0;
      data.data.fill(white, i, i + 3);
      data.data[i + 3] = data.data[i + 3] > 127 ? 255 : 0;
    }
    const {width, height} = this.canvas;
    const canvas = make('canvas', {width, height});
    canvas.getContext('2d').putImageData(data, 0, 0);
    return new Promise((done) => canvas.toBlob(done, 'image/png'));
  }

  /**
   * What was painted earlier, to go on with; below what comes meanwhile, which
   * is kept when it is there. Throws where it cannot be loaded.
   */
  async load(url) {
    this.asked = url;
    this.isLoaded = this.isLost = false;
    this.empty();
    this.isTouched = false;
    await this.saved;
    let picture;
    try {
      picture = await fetched(url);
    } catch {
      if (this.asked !== url) return;
      this.isLost = true;
      this.empty();
      throw new Error(t('paint_lost'));
    }
    if (this.asked !== url) return;
    if (picture) {
      const {width, height} = this.canvas;
      this.pen.globalCompositeOperation = 'destination-over';
      this.pen.drawImage(coloured(picture, width, height), 0, 0);
      this.pen.globalCompositeOperation = 'source-over';
    }
    this.undone = [];
    this.isLoaded = true;
    if (this.isTouched) this.changed();
  }

  empty() {
    this.pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.last = null;
    this.undone = [];
  }
}

/** A mark that is kept; null: there is none. */
async function fetched(url) {
  const answer = await fetch(url, {cache: 'no-store'});
  if (answer.status === 204 || answer.status === 404) return null;
  if (answer.status !== 200) throw new Error(answer.statusText);
  return createImageBitmap(await answer.blob());
}

/** White and black as the brush paints them. */
function coloured(picture, width, height) {
  const canvas = make('canvas', {width, height});
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  pen.drawImage(picture, 0, 0, width, height);
  const data = pen.getImageData(0, 0, width, height);
  for (let i = 0; i < data.data.length; i += 4) {
    if (!data.data[i + 3]) continue;
    const color = COLORS[data.data[i] > 127 ? 'paint' : 'erase'];
    for (let k = 0; k < 3; k++) {
      data.data[i + k] = parseInt(color.slice(1 + 2 * k, 3 + 2 * k), 16);
    }
  }
  pen.putImageData(data, 0, 0);
  return canvas;
}
