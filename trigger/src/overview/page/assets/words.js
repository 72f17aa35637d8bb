// Numbers, times and sizes as people read them.

const thousands = new Intl.NumberFormat("en-US");
const count = (number) => thousands.format(number);
const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;

function duration(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.round((minutes % 1440) / 60)} h`;
}

function memory(mib) {
  return mib < 1024 ? `${count(mib)} MiB` : `${(mib / 1024).toFixed(mib < 10240 ? 1 : 0)} GiB`;
}

const two = (number) => String(number).padStart(2, "0");

// UTC, as on every command line of this system.
function time(seconds) {
  const at = new Date(seconds * 1000);
  return `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())} ` +
    `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
}

function timeElement(seconds) {
  return el("time", { datetime: new Date(seconds * 1000).toISOString() }, `${time(seconds)} UTC`);
}

function ago(seconds) {
  const passed = Date.now() / 1000 - seconds;
  return passed < 90 ? "just now" : `${duration(passed)} ago`;
}

const money = (amount, currency) => `${amount.toFixed(2)} ${currency}`;

function percent(part, whole) {
  const share = whole ? (100 * part) / whole : 0;
  if (share > 0 && share < 0.1) return "< 0.1 %";
  if (share > 99.9 && share < 100) return "> 99.9 %";
  return `${share.toFixed(share === 0 || share === 100 ? 0 : 1)} %`;
}

const MEANING = {
  submitted: "waiting for a machine",
  processing: "a worker is at it",
  processed: "every product is stored",
  error: "it failed",
  syncing: "results are being brought on site",
  synced: "results are on site",
  archived: "the archive has the results",
  terminated: "stopped by an operator",
};
const hasFailed = (state) => state === "error" || state === "terminated";
const isUnderWay = (state) => state === "submitted" || state === "processing";
