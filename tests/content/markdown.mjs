// Reads a SKILL.md: front matter, fences, headings, useful lines.

export function parse(text) {
  const lines = text.split("\n");
  const doc = { front: {}, frontKeys: [], fences: [], headings: [], useful: 0, lines: lines.length, problems: [] };
  if (text.endsWith("\n")) doc.lines -= 1;
  const end = lines.indexOf("---", 1);
  if (lines[0] !== "---" || end < 0) {
    doc.problems.push("no front matter");
    return doc;
  }
  for (const entry of lines.slice(1, end)) {
    const match = /^([a-z_-]+): (\S.*)$/.exec(entry);
    if (!match) doc.problems.push(`front matter is not 'key: value': ${entry}`);
    else {
      doc.frontKeys.push(match[1]);
      doc.front[match[1]] = match[2];
    }
  }
  readBody(doc, lines.slice(end + 1));
  return doc;
}

function readBody(doc, lines) {
  let fence = null;
  for (const line of lines) {
    const mark = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/.exec(line);
    if (!fence && mark) fence = { mark: mark[1], language: mark[2].trim(), body: [] };
    else if (fence && mark && mark[1][0] === fence.mark[0] && mark[1].length >= fence.mark.length && !mark[2]) {
      doc.fences.push({ language: fence.language, body: fence.body.join("\n") + "\n" });
      fence = null;
    } else {
      if (fence) fence.body.push(line);
      else if (/^#{1,6} /.test(line)) doc.headings.push(line.replace(/^#+ /, "").trim());
      // Fence marks inside of an example, rules and lines without words do not count.
      const words = line.replace(/[^\p{L}]/gu, "");
      if (words.length >= 3 && !mark && !/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) doc.useful += 1;
    }
  }
  if (fence) doc.problems.push(`a fence of ${fence.language || "no language"} is not closed`);
}
