// Follows the venue: parts of the page that have changed come by server-sent events.
(() => {
  const followed = document.getElementById("followed");
  const say = (text) => { if (followed.textContent !== text) followed.textContent = text; };
  const source = new EventSource("/events");
  source.addEventListener("message", (event) => {
    for (const [name, html] of Object.entries(JSON.parse(event.data))) {
      const part = document.querySelector(`[data-live="${name}"]`);
      if (part) part.innerHTML = html;
    }
    say("Live");
  });
  source.addEventListener("open", () => say("Live"));
  source.addEventListener("error", () => say("No connection to the venue; what is shown is old"));
})();
