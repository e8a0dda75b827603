// Renders a bash command as the hub does: values become exported variables, placeholders become references.

const PLACEHOLDER = /\{\{([a-z][a-z0-9_]{0,39})\}\}/g;

export const placeholders = (script) => [...new Set([...script.matchAll(PLACEHOLDER)].map((match) => match[1]))];

export function render(script, parameters, values = {}) {
  const lines = script.split("\n");
  const shebang = lines[0].startsWith("#!") ? [lines.shift()] : [];
  const quote = (value) => `'${value.replaceAll("'", "'\\''")}'`;
  const exports = parameters.map(
    ({ name, default: fallback }) => `export MAL_P_${name.toUpperCase()}=${quote(values[name] ?? fallback ?? "")}`,
  );
  return [...shebang, ...exports, ...lines].join("\n")
    .replace(PLACEHOLDER, (_, name) => `\${MAL_P_${name.toUpperCase()}}`);
}

// Placeholders that do not stand inside double quotes. Knows quotes, escapes, comments, quoted here-documents and
// $(…) far enough for the scripts of the catalog.
export function unquoted(script) {
  const bad = [];
  let state = "";
  let heredoc = null;
  for (const line of script.split("\n")) {
    if (heredoc) {
      if (line.trim() === heredoc.word) heredoc = null;
      else if (heredoc.quoted) bad.push(...placeholders(line));
      continue;
    }
    for (let i = 0; i < line.length; i += 1) {
      const char = line[i];
      const placeholder = /^\{\{([a-z][a-z0-9_]*)\}\}/.exec(line.slice(i));
      if (placeholder) {
        if (state !== '"') bad.push(placeholder[1]);
        i += placeholder[0].length - 1;
      } else if (char === "\\" && state !== "'") i += 1;
      else if (state === "" && char === "#" && (i === 0 || /[\s;(]/.test(line[i - 1]))) {
        bad.push(...placeholders(line.slice(i)));
        break;
      } else if (state === "" && (char === "'" || char === '"')) state = char;
      else if (char === state) state = "";
    }
    const start = state === "" && /<<-?\s*(['"]?)([A-Za-z_]+)\1/.exec(line.replaceAll("<<<", ""));
    if (start) heredoc = { word: start[2], quoted: start[1] !== "" };
  }
  return bad;
}
