// Filters the rows while a reader types; without it the form's button does.
(() => {
  const field = document.querySelector("input[type=search]");
  const rows = [...document.querySelectorAll(".results tbody tr")];
  const counted = document.querySelector(".results caption");
  const whole = counted && counted.textContent;
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => row.dataset.words.includes(word));
      if (!row.hidden) shown += 1;
    }
    if (counted) counted.textContent = words.length ? `${shown} of these match.` : whole;
  });
})();
