"use strict";
document.getElementById("again").addEventListener("click", () => window.location.reload());

// The first key is the console's: nobody should have to click into it before. Its socket is open once it has drawn.
const focus = () => document.querySelector("#terminal textarea")?.focus();
new MutationObserver((_, watch) => {
  if (document.body.classList.contains("-first-byte")) {
    watch.disconnect();
    focus();
  }
}).observe(document.body, { attributes: true, attributeFilter: ["class"] });
