'use strict';
document.documentElement.classList.add('js');
for (const box of document.querySelectorAll('.compare')) {
  const range = box.querySelector('input');
  const show = () => {
    box.style.setProperty('--at', range.value + '%');
    range.setAttribute('aria-valuetext',
        range.value + ' % of the width shows the film before');
  };
  range.addEventListener('input', show);
  show();
}
// What is folded on the screen is wanted on paper.
addEventListener('beforeprint', () => {
  for (const part of document.querySelectorAll('details')) part.open = true;
});
