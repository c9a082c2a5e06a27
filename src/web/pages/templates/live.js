(() => {
  const live = document.getElementById("live");
  if (!live || !window.EventSource) return;
  const digest = () => live.querySelector(".state")?.dataset.digest;
  const shown = digest();
  let busy = false, again = false;
  const load = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.pathname + "?part=live");
      const typing = live.contains(document.activeElement) && document.activeElement.name === "reason";
      if (answer.ok && !typing) {
        live.innerHTML = await answer.text();
        if (digest() !== shown) location.reload();
      }
    } finally {
      busy = false;
      if (again) { again = false; setTimeout(load, 300); }
    }
  };
  const events = new EventSource(live.dataset.events);
  events.addEventListener("change", load);
})();
