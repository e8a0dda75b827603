// Preload for the conformance runner, which has no option for headers: adds those of INJECT_HEADERS
// (JSON) to each request of fetch, of undici and of node:http.
import diagnostics from "node:diagnostics_channel";

const headers = Object.entries(JSON.parse(process.env.INJECT_HEADERS ?? "{}"));

diagnostics.subscribe("undici:request:create", ({ request }) => {
  for (const [name, value] of headers) request.addHeader(name, value);
});
diagnostics.subscribe("http.client.request.created", ({ request }) => {
  for (const [name, value] of headers) if (!request.headersSent) request.setHeader(name, value);
});
