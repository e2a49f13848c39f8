const key = 'board.theme';

/** Follows the theme of the machine until somebody has chosen one with the button. */
export function follow(button: HTMLButtonElement): void {
  const root = document.documentElement;
  const chosen = localStorage.getItem(key);
  if (chosen === 'light' || chosen === 'dark') root.dataset['theme'] = chosen;
  button.addEventListener('click', () => {
    const dark = root.dataset['theme'] === 'dark' || (!root.dataset['theme'] && matchMedia('(prefers-color-scheme: dark)').matches);
    const next = dark ? 'light' : 'dark';
    root.dataset['theme'] = next;
    localStorage.setItem(key, next);
  });
}
