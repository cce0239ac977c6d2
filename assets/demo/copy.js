// A button with data-copy copies the text of the element it names.
for (const button of document.querySelectorAll('[data-copy]')) {
  button.addEventListener('click', async () => {
    const source = document.getElementById(button.dataset.copy);
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = 'Copied';
    } catch {
      // Where the clipboard is closed to pages, the text is at least selected.
      getSelection().selectAllChildren(source);
      button.textContent = 'Press Ctrl-C';
    }
    setTimeout(() => { button.textContent = said; }, 1500);
  });
}
