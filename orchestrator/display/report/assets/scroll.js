"use strict";
/* Marks what goes on beyond its right edge, and copies commands. */
(() => {
  const watched = document.querySelectorAll("nav .row, .scroll");
  const mark = (one) => one.classList.toggle("more", one.scrollLeft + one.clientWidth < one.scrollWidth - 2);
  const sizes = new ResizeObserver((seen) => seen.forEach((one) => mark(one.target)));
  for (const one of watched) {
    one.addEventListener("scroll", () => mark(one), { passive: true });
    sizes.observe(one);
  }

  /* Where a browser keeps the clipboard from files, the text is selected, which is half the way. */
  async function copy(button) {
    const text = button.parentElement.querySelector("pre");
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  }
  for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", () => copy(button));
})();
