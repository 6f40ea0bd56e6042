// What the elements share: texts, questions to the desk, making of elements.

/** A text in the language of the page, with its values. */
export function t(key, values = {}) {
  const text = window.DESK.texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

/** What /desk/<path> answers (JSON); throws what it says is wrong. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(`/desk/${path}`, {...options,
      headers: {'accept-language': window.DESK.language}});
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Error(t('lost'));
  }
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.error || t('lost'));
  return found;
}

/** A new element with properties and children. */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  Object.assign(element, properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Says something in a line that is read out. */
export function say(place, text, isBad = false) {
  if (place.textContent === text) return;
  place.textContent = text;
  place.classList.toggle('bad', isBad);
}

/** A group of radio buttons; choices: [value, text]. */
export function choice(title, name, choices, value, changed) {
  const group = make('div', {className: 'choice'},
      make('span', {className: 'choice-title'}, title));
  group.setAttribute('role', 'radiogroup');
  group.setAttribute('aria-label', title);
  for (const [key, text] of choices) {
    const input = make('input', {type: 'radio', name, value: key,
        checked: key === value});
    input.onchange = () => changed(key);
    group.append(make('label', {}, input, make('span', {}, text)));
  }
  return group;
}

/**
 * An element that fills itself by its attribute data-of. Gradio keeps an element
 * where it renders anew, but empties it and sets its attributes.
 */
export class Part extends HTMLElement {
  static observedAttributes = ['data-of'];

  connectedCallback() {
    this.watch = new MutationObserver(() => this.renew());
    this.watch.observe(this, {childList: true});
    this.renew();
  }

  disconnectedCallback() {
    this.watch.disconnect();
    this.leave();
    this.of = undefined;
  }

  attributeChangedCallback() { if (this.watch) this.renew(); }

  renew() {
    const of = this.getAttribute('data-of') ?? '';
    if (of === this.of && this.firstElementChild) return;
    if (this.of !== undefined) this.leave();
    this.of = of;
    this.replaceChildren();
    this.fill(of && JSON.parse(of));
    this.watch.takeRecords();
  }

  /** Makes what is in it. */
  fill() {}

  /** Ends what goes on by itself. */
  leave() {}
}

/** What a picture is moved in when it is enlarged; never higher than a screen. */
export function framed(stage, ratio) {
  const frame = make('div', {className: 'scroller'}, stage);
  frame.style.maxWidth = `calc(75vh * ${ratio})`;
  return frame;
}

/** A labelled slider. */
export function slider(title, properties, moved) {
  const input = make('input', {type: 'range', ...properties});
  const value = make('output', {}, String(properties.value));
  input.oninput = () => {
    value.textContent = input.value;
    moved(Number(input.value));
  };
  const label = make('label', {className: 'slide'},
      make('span', {}, title), input, value);
  return {label, input, value};
}

/** A line that is drawn over two pictures, before and after, and its slider. */
export function split(stage, kept) {
  const bar = make('div', {className: 'bar'});
  const range = make('input', {type: 'range', className: 'split', min: 0,
      max: 100, step: 1, value: kept.split});
  range.setAttribute('aria-label', t('split'));
  const show = () => {
    kept.split = range.value;
    stage.style.setProperty('--at', `${range.value}%`);
    range.setAttribute('aria-valuetext', t('split_at', {percent: range.value}));
  };
  range.oninput = show;
  show();
  stage.append(
      make('span', {className: 'tag tag-before'}, t('before')),
      make('span', {className: 'tag tag-after'}, t('after')), range, bar);
  return range;
}

/** Seconds as people say them. */
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return t('seconds', {n: s});
  if (s < 3600) return t('minutes', {n: Math.round(s / 60)});
  return t('hours', {n: (s / 3600).toFixed(1)});
}
