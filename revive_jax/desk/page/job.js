// The restore: how far it is, what is left, stopping and going on.
import {Part, ask, duration, make, say, t} from './ask.js';

const EVERY = 1000;  // Milliseconds between two questions.
const ACTIVE = ['running'];
const BAD = ['refused', 'failed', 'crashed'];

export class Job extends Part {
  fill({film}) {
    this.film = film;
    this.shown = false;
    this.start = make('button', {type: 'button',
      className: 'desk-button primary',
      onclick: () => this.tell('start')}, t('restore'));
    this.stop = make('button', {type: 'button', className: 'desk-button',
      onclick: () => this.tell('cancel'), hidden: true}, t('cancel'));
    this.bar = make('progress', {max: 1, hidden: true});
    this.bar.setAttribute('aria-label', t('restore'));
    this.said = make('p', {className: 'said'});
    this.said.setAttribute('role', 'status');
    this.place = make('div');
    this.append(make('div', {className: 'row'}, this.start, this.stop), this.bar,
        this.said, this.place);
    this.look();
  }

  leave() { clearTimeout(this.timer); }

  async tell(what) {
    this.start.disabled = this.stop.disabled = true;
    try {
      if (what === 'start') await document.querySelector('desk-view')?.brush.saved;
      await ask(`${this.film}/${what}`, {method: 'POST'});
      this.shown = false;
    } catch (error) {
      say(this.said, error.message, true);
      this.start.disabled = this.stop.disabled = false;
      return;
    }
    this.look();
  }

  async look() {
    clearTimeout(this.timer);
    let job;
    try {
      job = await ask(`${this.film}/job`);
    } catch (error) {  // It may be started again; then this goes on.
      say(this.said, error.message, true);
      this.timer = setTimeout(() => this.look(), 3 * EVERY);
      return;
    }
    this.show(job);
    if (ACTIVE.includes(job.state) && this.isConnected) {
      this.timer = setTimeout(() => this.look(), EVERY);
    }
  }

  show(job) {
    const isActive = ACTIVE.includes(job.state);
    this.start.disabled = false;
    this.start.hidden = isActive;
    this.stop.hidden = !isActive;
    this.stop.disabled = false;
    const isFresh = job.state === 'none';
    this.start.textContent = t(job.state === 'done' || isFresh && job.has_film
        ? 'restore_again' : isFresh ? 'restore' : 'restore_on');
    this.bar.hidden = !isActive;
    if (job.fraction !== null) this.bar.value = job.fraction;
    else this.bar.removeAttribute('value');
    say(this.said, this.sentence(job), BAD.includes(job.state));
    this.dataset.state = job.state;
    if (isActive) {
      this.place.replaceChildren();
      this.shown = false;
    } else if (job.has_film && !this.shown) {
      this.shown = true;
      const result = make('desk-result');
      result.setAttribute('data-of', JSON.stringify({film: this.film}));
      this.place.replaceChildren(job.state === 'done' ? ''
          : make('p', {className: 'soft'}, t('job_before')), result);
    }
  }

  sentence(job) {
    if (job.state === 'none' && job.has_film) return '';
    if (job.state !== 'running' || job.said) return job.said;
    const parts = [job.label];
    if (job.total) {
      parts.push(t('job_frames', {done: job.done, total: job.total,
        percent: Math.floor(100 * job.done / job.total)}));
    }
    if (job.seconds_left !== null) {
      parts.push(t('job_left', {time: duration(job.seconds_left)}));
    }
    return parts.join(' · ');
  }
}
