(() => {
  const live = document.getElementById("live");
  if (!live || !window.EventSource) return;
  const show = (id, on) => { const part = document.getElementById(id); if (part) part.hidden = !on; };
  const digest = () => live.querySelector(".state")?.dataset.digest;
  const shown = digest();
  let busy = false, again = false;
  const typing = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, textarea") || [...part.querySelectorAll("textarea")].some((box) => box.value);
  const put = (part, fresh) => {
    if (!part || !fresh || typing(part) || part.innerHTML === fresh.innerHTML) return;
    const open = [...part.querySelectorAll("details[id]")].filter((fold) => fold.open).map((fold) => fold.id);
    part.innerHTML = fresh.innerHTML;
    for (const fold of part.querySelectorAll("details[id]")) fold.open = open.includes(fold.id);
  };
  const signedOut = () => { show("away", true); show("lost", false); show("out", true); };
  // Whether this page may still be read; a server that is away answers neither way and is asked again.
  const load = async () => {
    if (busy) { again = true; return true; }
    busy = true;
    try {
      const answer = await fetch(location.pathname + "?part=live");
      if (answer.redirected) { signedOut(); return false; }
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const id of ["live", "order", "side", "rest"]) put(document.getElementById(id), fresh.getElementById(id));
        if (digest() !== shown) location.reload();
      }
    } catch {
    } finally {
      busy = false;
      if (again) { again = false; setTimeout(load, 300); }
    }
    return true;
  };
  const listen = () => {
    const events = new EventSource(live.dataset.events);
    events.addEventListener("open", () => show("away", false));
    events.addEventListener("change", load);
    events.addEventListener("error", async () => {
      show("away", true);
      // A browser tries again by itself after a cut, not after an answer that is no stream.
      if (events.readyState === EventSource.CLOSED && await load()) setTimeout(listen, 2000);
    });
  };
  listen();
})();
