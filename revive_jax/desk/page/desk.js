// The desk's own parts of the page, as elements that look after themselves:
// they ask /desk/... and need nothing but their attributes.
import {View} from './view.js';
import {Job} from './job.js';
import {Result} from './player.js';
import {Part, ask, make, say, t} from './ask.js';

const root = document.documentElement;
root.lang = window.DESK.language;

/** Where a film is given: dropped, chosen, or the demo clip. */
class Open extends Part {
  fill() {
    this.input = make('input', {type: 'file', id: 'desk-file', className: 'away',
        accept: 'video/*,image/*,.mkv,.mxf,.vob,.dv,.ts,.m2t,.mpg,.avi,.y4m'});
    this.zone = make('label', {className: 'drop', htmlFor: 'desk-file'},
        make('strong', {}, t('open_drop')), make('span', {}, t('open_choose')));
    this.demo = make('button', {type: 'button', className: 'desk-button'},
        t('open_demo'));
    this.bar = make('progress', {max: 1, value: 0, hidden: true});
    this.bar.setAttribute('aria-label', t('open_sending'));
    this.stop = make('button', {type: 'button', className: 'desk-button',
        hidden: true}, t('cancel'));
    this.said = make('p', {className: 'said'});
    this.said.setAttribute('role', 'status');
    this.append(this.input, this.zone, make('p', {className: 'row'}, this.demo,
        this.bar, this.stop), this.said);
    this.listen();
  }

  listen() {
    this.input.onchange = () => this.send(this.input.files[0]);
    for (const name of ['dragover', 'dragenter']) {
      this.zone.addEventListener(name, (event) => {
        event.preventDefault();
        this.zone.classList.add('over');
      });
    }
    this.zone.addEventListener('dragleave',
        () => this.zone.classList.remove('over'));
    this.zone.addEventListener('drop', (event) => {
      event.preventDefault();
      this.zone.classList.remove('over');
      if (event.dataTransfer.files.length > 1) say(this.said, t('open_one'), true);
      else this.send(event.dataTransfer.files[0]);
    });
    this.demo.onclick = () => this.work(ask('demo', {method: 'POST'}),
        t('open_making'));
    this.stop.onclick = () => this.request?.abort();
  }

  /** Sends a film as it lies on the disk; XHR, since fetch tells no progress. */
  send(file) {
    if (!file) return;
    const limit = window.DESK.max_bytes;
    if (limit && file.size > limit) {
      say(this.said, t('open_large', {gigabytes: (limit / 1e9).toFixed(1)}), true);
      return;
    }
    const request = this.request = new XMLHttpRequest();
    const sent = new Promise((good, bad) => {
      request.upload.onprogress = (event) => {
        this.bar.value = event.loaded / (event.total || 1);
        say(this.said, t('open_sent', {
          percent: Math.floor(100 * this.bar.value), name: file.name}));
      };
      request.onabort = () => bad(new Error(t('open_stopped')));
      request.onerror = () => bad(new Error(t('lost')));
      request.onload = () => {
        let answer = {};
        try { answer = JSON.parse(request.response); } catch { /* no JSON */ }
        if (request.status === 200) good(answer);
        else bad(new Error(answer.error || t('lost')));
      };
    });
    request.open('PUT', `/desk/upload?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader('accept-language', window.DESK.language);
    request.send(file);
    this.stop.hidden = false;
    this.work(sent, t('open_sending'));
  }

  async work(promise, text) {
    this.setBusy(true);
    say(this.said, text);
    try {
      const {film} = await promise;
      say(this.said, '');
      opened(film, this);
    } catch (error) {
      say(this.said, error.message, true);
    }
    this.setBusy(false);
  }

  setBusy(busy) {
    this.demo.disabled = this.input.disabled = busy;
    this.bar.hidden = !busy || !this.request;
    if (!busy) {
      this.stop.hidden = true;
      this.request = null;
      this.input.value = '';
    }
  }
}

/** Shows a film: the address keeps it, for a reload. */
function opened(film, from) {
  history.replaceState(null, '', `${location.pathname}?film=${film}`);
  from.dispatchEvent(new CustomEvent('desk-opened',
      {bubbles: true, detail: {film}}));
}

// Films of an earlier visit.
document.addEventListener('click', (event) => {
  const film = event.target.closest?.('[data-open]')?.dataset.open;
  if (film) opened(film, event.target);
});

// What takes a film away asks first, before gradio hears of it.
document.addEventListener('click', (event) => {
  if (event.target.closest?.('#desk-delete') && !confirm(t('delete_sure'))) {
    event.stopImmediatePropagation();
    event.preventDefault();
  }
}, true);

// A message to the page: the settings have changed.
window.desk = {
  changed: () => document.querySelector('desk-view')?.changed(),
  forget: () => history.replaceState(null, '', location.pathname),
  toJob: () => document.querySelector('desk-job')?.scrollIntoView(
      {behavior: 'smooth', block: 'center'}),
};

customElements.define('desk-open', Open);
customElements.define('desk-view', View);
customElements.define('desk-job', Job);
customElements.define('desk-result', Result);
