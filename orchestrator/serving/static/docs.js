"use strict";

// Shows /openapi.json, of which it understands what this server writes.

const element = (name, text = "", ...children) => {
  const made = document.createElement(name);
  made.append(...(text ? [text] : []), ...children);
  return made;
};

let schemas = {};
const resolved = (schema) => schema.$ref ? schemas[schema.$ref.split("/").at(-1)] : schema;

function kindOf(given) {
  const schema = resolved(given);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (schema.anyOf) return schema.anyOf.map(kindOf).join(" or ");
  if (schema.type === "array") return `list of {${Object.keys(resolved(schema.items).properties || {}).join(", ")}}`;
  if (schema.type === "object" && schema.properties) {
    return `{${Object.entries(schema.properties).map(([name, one]) => `${name}: ${kindOf(one)}`).join(", ")}}`;
  }
  const bounds = [schema.minimum, schema.maximum ?? (schema.maxLength && `${schema.maxLength} characters`)];
  const within = bounds.every((bound) => bound === undefined) ? "" : `, ${bounds[0] ?? ""} to ${bounds[1] ?? "..."}`;
  return `${schema.type || "any"}${within}`;
}

function table(head, rows) {
  const line = (kind, cells) => element("tr", "", ...cells.map((cell) => element(kind, cell)));
  return element("table", "", element("thead", "", line("th", head)),
    element("tbody", "", ...rows.map((cells) => line("td", cells))));
}

const field = (name, schema, required) =>
  [name, kindOf(schema), required ? "needed" : JSON.stringify(schema.default) ?? "", schema.description || ""];

function bodyOf(operation) {
  return Object.entries(operation.requestBody?.content || {}).flatMap(([type, {schema}]) =>
    (schema.oneOf || schema.anyOf || [schema]).flatMap((one) => {
      const {title, description, properties, required = []} = resolved(one);
      if (!properties) return [element("p", `Body: ${type}`)];
      const fields = Object.entries(properties).map(([name, part]) => field(name, part, required.includes(name)));
      return [element("h3", `Body: ${title}`), element("p", description),
        table(["key", "value", "default", ""], fields)];
    }));
}

function answersOf(operation) {
  return Object.entries(operation.responses).map(([code, answer]) => [
    code, answer.description, Object.keys(answer.content || {}).join(", "), Object.keys(answer.headers || {}).join(", "),
  ]);
}

function operationOf(path, method, operation) {
  const name = `${method.toUpperCase()} ${path}`;
  const asked = (operation.parameters || []).map(({name, schema, required, description}) =>
    field(`?${name}=`, {description, ...schema}, required));
  const details = element("details", "", element("summary", name, element("span", ` ${operation.summary || ""}`)),
    element("p", operation.description || ""),
    ...(asked.length ? [table(["query", "value", "default", ""], asked)] : []),
    ...bodyOf(operation), element("h3", "Answers"), table(["code", "", "type", "headers"], answersOf(operation)));
  details.open = method === "post";
  return details;
}

async function begin() {
  const api = await (await fetch("openapi.json")).json();
  schemas = api.components.schemas;
  document.getElementById("facts").textContent = `${api.info.summary} Model ${api.info.version}.`;
  document.getElementById("operations").append(...Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationOf(path, method, operation))));
}

begin();
