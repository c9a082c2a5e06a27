(() => {
  const live = document.getElementById("live");
  if (!live || !window.EventSource) return;
  const digest = () => live.querySelector(".state")?.dataset.digest;
  const shown = digest();
  let busy = false, again = false;
  const typing = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, textarea") || [...part.querySelectorAll("textarea")].some((box) => box.value);
  const put = (part, fresh) => {
    if (!part || !fresh || typing(part)) return;
    const open = [...part.querySelectorAll("details[id]")].filter((fold) => fold.open).map((fold) => fold.id);
    part.innerHTML = fresh.innerHTML;
    for (const fold of part.querySelectorAll("details[id]")) fold.open = open.includes(fold.id);
  };
  const load = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.pathname + "?part=live");
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const id of ["live", "rest"]) put(document.getElementById(id), fresh.getElementById(id));
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
