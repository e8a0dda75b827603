// SPDX-License-Identifier: Apache-2.0
// Validates api/: openapi.json by a public OpenAPI 3.1 validator, the schemas of
// tools.json as strict JSON Schema 2020-12, and what MCP and the tool contract
// ask of them. Prints what is wrong; the exit code says whether anything is.
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const read = (name) =>
  JSON.parse(readFileSync(new URL(`../../../api/${name}`, import.meta.url), "utf8"));
const mistakes = [];

const openapi = read("openapi.json");
const validator = new Validator();
const { valid, errors } = await validator.validate(openapi);
if (!valid) mistakes.push(`openapi.json: ${JSON.stringify(errors, null, 2)}`);
if (validator.version !== "3.1") mistakes.push(`openapi.json is version ${validator.version}`);

// Every $ref leads somewhere, every component is used.
const targets = new Set();
JSON.stringify(openapi, (key, value) => {
  if (key === "$ref") targets.add(value);
  return value;
});
for (const target of targets) {
  const found = target.split("/").slice(1).reduce((at, key) => at?.[key], openapi);
  if (!found) mistakes.push(`openapi.json: ${target} leads nowhere`);
}
for (const name of Object.keys(openapi.components.schemas))
  if (!targets.has(`#/components/schemas/${name}`))
    mistakes.push(`openapi.json: component ${name} is not used`);

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
addFormats(ajv);

// Walks every schema object below a schema.
function* schemas(schema, path) {
  yield [schema, path];
  for (const [name, part] of Object.entries(schema.properties ?? {}))
    yield* schemas(part, `${path}.${name}`);
  if (schema.items) yield* schemas(schema.items, `${path}[]`);
  if (schema.additionalProperties) yield* schemas(schema.additionalProperties, `${path}.*`);
}

const names = new Set();
for (const tool of read("tools.json").tools) {
  if (names.has(tool.name)) mistakes.push(`${tool.name} is there twice`);
  names.add(tool.name);
  for (const side of ["inputSchema", "outputSchema"]) {
    const schema = tool[side];
    try {
      ajv.compile(schema);
    } catch (error) {
      mistakes.push(`${tool.name} ${side}: ${error.message}`);
    }
    for (const [part, path] of schemas(schema, side)) {
      if (part.properties && part.additionalProperties !== false)
        mistakes.push(`${tool.name} ${path} is not closed`);
      for (const [name, property] of Object.entries(part.properties ?? {}))
        if (!property.description) mistakes.push(`${tool.name} ${path}.${name} has no description`);
      for (const word of ["$ref", "anyOf", "oneOf", "allOf"])
        if (word in part) mistakes.push(`${tool.name} ${path} uses ${word}`);
      if ("default" in part && !ajv.validate(part, part.default))
        mistakes.push(`${tool.name} ${path}: the default is refused, ${ajv.errorsText()}`);
    }
  }
}

for (const mistake of mistakes) console.log(mistake);
console.log(`${names.size} tools, ${Object.keys(openapi.paths).length} paths: ` +
  (mistakes.length ? `${mistakes.length} mistakes` : "valid"));
process.exit(mistakes.length ? 1 : 0);
