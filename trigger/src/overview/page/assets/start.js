const shown = JSON.parse(document.querySelector("script[type='application/json']").textContent);
if (shown.kind === "batch") batchPage(shown);
else batchesPage(shown);
document.getElementById("end").append("Written by caldp. This page makes no request but for the pictures and links on it.");
