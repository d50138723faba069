// Numbers as a person reads them.

const WHOLE = new Intl.NumberFormat("en");

export const whole = (n) => WHOLE.format(Math.round(n));

export function pace(n) {
  if (n === 0) return "0";
  return n >= 100 ? whole(n) : n >= 10 ? n.toFixed(0) : n.toFixed(1);
}

export function bytes(n) {
  if (n < 1024) return `${whole(n)} B`;
  if (n < 1024 ** 2) return `${(n / 1024).toFixed(0)} KiB`;
  const gib = n / 1024 ** 3;
  return gib >= 1 ? `${gib.toFixed(gib >= 10 ? 0 : 1)} GiB` : `${(n / 1024 ** 2).toFixed(0)} MiB`;
}

export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1) return "0 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.round(s)} s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m} min ${Math.round(s % 60)} s`;
  const hours = Math.floor(m / 60);
  return hours < 48 ? `${hours} h ${m % 60} min` : `${Math.floor(hours / 24)} d`;
}

/** A time of the same length from a second to days, for the margin of a plot. */
export function briefly(ms) {
  const m = ms / 60000;
  if (m < 10) return m < 1 ? duration(ms) : `${Math.round(ms / 1000)} s`;
  return m < 60 ? `${Number(m.toFixed(1))} min` : `${Number((m / 60).toFixed(1))} h`;
}

export function clock(atMs) {
  return new Date(atMs).toLocaleTimeString([], { hour12: false });
}

export function moment(atMs) {
  return new Date(atMs).toLocaleString([], { hour12: false });
}

export const percent = (share) => `${Math.round(share * 100)} %`;

export const plural = (n, one, many = `${one}s`) => `${whole(n)} ${n === 1 ? one : many}`;

// What may steer a terminal, or turn a line's letters around, is shown and does nothing, here and where it is pasted.
const STEERING = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

export function visible(text) {
  return text.replace(/\r\n?/g, "\n").replace(STEERING, (sign) => {
    const code = sign.charCodeAt(0);
    if (code < 32) return String.fromCharCode(0x2400 + code);
    return code === 127 ? "\u2421" : `\u27e8${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
  });
}
