// Rules of single fields, as the hub checks them when an entry is registered.

export const slug = (value) =>
  typeof value === "string" && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(value) && value.length <= 64;

const length = (value) => [...value].length;

// One line, trimmed, of so many code points.
export const line = (value, max) =>
  typeof value === "string" && value === value.trim() && length(value) >= 1 && length(value) <= max &&
  !/\p{Cc}/u.test(value);

export const tags = (value) =>
  Array.isArray(value) && value.length >= 2 && value.length <= 20 && new Set(value).size === value.length &&
  value.every((tag) => line(tag, 50) && tag === tag.toLowerCase() && !tag.includes(","));

export const list = (value, most, test) => Array.isArray(value) && value.length <= most && value.every(test);

export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

export const fits = (type, value, enumValues = []) =>
  typeof value === "string" &&
  {
    string: () => true,
    number: () => /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(value),
    boolean: () => value === "true" || value === "false",
    enum: () => enumValues.includes(value),
  }[type]?.();

export function onlyKeys(expect, entry, allowed) {
  for (const key of Object.keys(entry)) expect(allowed.includes(key), `unknown field ${key}`);
}

export function common(expect, entry, id, author) {
  expect(entry.id === id && slug(entry.id), `id must be the slug ${id}`);
  expect(line(entry.name, 100), "name must be 1-100 characters");
  expect(entry.author === author, `author must be ${author}`);
  expect(tags(entry.tags), "tags must be 2-20 unique lower-case words of 1-50 characters");
}

export const machinePath = /(^|[^A-Za-z0-9_.])\/(work|farm|root|home|Users)\//;
export const unfinished = /\b(todo|tbd|fixme|xxx+|lorem|ipsum|placeholder text)\b|coming soon/i;
