// Holds templates to CloudFormation's resource schemas, as AWS's own package has them.
//
//   node .ci/templates.mjs check DIR…      prints what a schema doesn't have, and fails
//   node .ci/templates.mjs baseline DIR    prints what an upgrade must not replace: see infra/upgrade_test.go
//
// A DIR holds *.template.json. @aws-cdk/aws-service-spec is found from the working
// directory, where .ci/templates installs it.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";

const { loadAwsServiceSpec } = createRequire(join(process.cwd(), "x"))("@aws-cdk/aws-service-spec");

// What has data, a position or an address that clients and operators know.
const stateful = [
  "AWS::DynamoDB::Table",
  "AWS::Cognito::UserPool",
  "AWS::Cognito::UserPoolClient",
  "AWS::ApiGatewayV2::Api",
  "AWS::ApiGatewayV2::Stage",
  "AWS::Lambda::EventSourceMapping",
  "AWS::SQS::Queue",
  "AWS::S3::Bucket",
  "AWS::CloudFront::Distribution",
  "AWS::Logs::LogGroup",
  "AWS::Cognito::UserPoolDomain",
  "AWS::Cognito::UserPoolResourceServer",
  "AWS::Events::EventBus",
  "AWS::ApiGatewayV2::DomainName",
];

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

// An intrinsic function has any type.
const isIntrinsic = (value) =>
  isObject(value) && Object.keys(value).length === 1 && /^(Ref|Condition|Fn::\w+)$/.test(Object.keys(value)[0]);

const primitives = {
  string: (v) => typeof v === "string",
  number: (v) => typeof v === "number",
  integer: (v) => Number.isInteger(v),
  boolean: (v) => typeof v === "boolean",
  "date-time": (v) => typeof v === "string",
  json: (v) => isObject(v) || typeof v === "string",
  null: (v) => v === null,
};

// mismatches lists what of a value is not of a type.
function mismatches(db, value, type, path) {
  if (isIntrinsic(value)) return [];
  switch (type.type) {
    case "array":
      if (!Array.isArray(value)) return [`${path}: want a list`];
      return value.flatMap((v, i) => mismatches(db, v, type.element, `${path}[${i}]`));
    case "map":
      if (!isObject(value)) return [`${path}: want an object`];
      return Object.entries(value).flatMap(([k, v]) => mismatches(db, v, type.element, `${path}.${k}`));
    case "tag":
      return properties(
        db,
        value,
        { Key: { type: { type: "string" }, required: true }, Value: { type: { type: "string" }, required: true } },
        path,
      );
    case "ref":
      return properties(db, value, db.get("typeDefinition", type.reference.$ref).properties, path);
    case "union": {
      const all = type.types.map((t) => mismatches(db, value, t, path));
      return all.some((found) => found.length === 0) ? [] : all[0];
    }
    default:
      if (!primitives[type.type]?.(value)) return [`${path}: want ${type.type}, got ${JSON.stringify(value)}`];
      // The package has patterns and ranges of none.
      return !type.allowedValues || type.allowedValues.includes(value)
        ? []
        : [`${path}: want one of ${type.allowedValues.join(", ")}, got ${JSON.stringify(value)}`];
  }
}

function properties(db, value, known, path) {
  if (!isObject(value)) return [`${path}: want an object, got ${JSON.stringify(value)}`];
  const found = Object.entries(value).flatMap(([name, v]) =>
    known[name] ? mismatches(db, v, known[name].type, `${path}.${name}`) : [`${path}.${name}: no such property`],
  );
  const missing = Object.entries(known)
    .filter(([name, p]) => p.required && !(name in value))
    .map(([name]) => `${path}.${name}: is required`);
  return found.concat(missing);
}

function templatesIn(dir) {
  return readdirSync(dir)
    .filter((f) => f.endsWith(".template.json"))
    .sort()
    .map((f) => ({ name: basename(f, ".template.json"), template: JSON.parse(readFileSync(join(dir, f), "utf8")) }));
}

const schemaOf = (db, type) => [...db.lookup("resource", "cloudFormationType", "equals", type)][0];

function check(db, dirs) {
  let templates = 0,
    resources = 0;
  const problems = [];
  for (const dir of dirs) {
    for (const { name, template } of templatesIn(dir)) {
      templates++;
      for (const [id, r] of Object.entries(template.Resources ?? {})) {
        if (r.Type.startsWith("Custom::")) continue;
        resources++;
        const schema = schemaOf(db, r.Type);
        problems.push(
          ...(schema
            ? properties(db, r.Properties ?? {}, schema.properties, `${name}/${id} (${r.Type})`)
            : [`${name}/${id}: no such type ${r.Type}`]),
        );
      }
    }
  }
  for (const problem of new Set(problems)) console.error(`templates: ${problem}`);
  if (problems.length > 0 || resources === 0) process.exit(1);
  console.log(`templates: ${resources} resources of ${templates} templates match CloudFormation's schemas`);
}

// imports lists the names of exports that a value imports.
function imports(value) {
  if (Array.isArray(value)) return value.flatMap(imports);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([k, v]) => (k === "Fn::ImportValue" ? [v] : imports(v)));
}

function baseline(db, dir) {
  const replacing = {},
    stacks = {};
  for (const type of stateful) {
    replacing[type] = Object.entries(schemaOf(db, type).properties)
      .filter(([, p]) => p.causesReplacement && p.causesReplacement !== "no")
      .map(([name]) => name)
      .sort();
  }
  for (const { name, template } of templatesIn(dir)) {
    const kept = {};
    for (const [id, r] of Object.entries(template.Resources)) {
      if (!stateful.includes(r.Type)) continue;
      kept[id] = {
        Type: r.Type,
        Properties: Object.fromEntries(
          replacing[r.Type].filter((p) => r.Properties?.[p] !== undefined).map((p) => [p, r.Properties[p]]),
        ),
      };
      const indexes = r.Properties?.GlobalSecondaryIndexes;
      if (indexes)
        kept[id].Indexes = indexes.map(({ IndexName, KeySchema, Projection }) => ({
          IndexName,
          KeySchema,
          Projection,
        }));
    }
    const exports = Object.fromEntries(
      Object.values(template.Outputs ?? {})
        .filter((o) => o.Export)
        .map((o) => [o.Export.Name, o.Value]),
    );
    stacks[name.slice(name.lastIndexOf("-") + 1)] = {
      Resources: kept,
      Exports: exports,
      Imports: [...new Set(imports(template.Resources))].sort(),
    };
  }
  console.log(JSON.stringify({ Replacing: replacing, Stacks: stacks }, null, 1));
}

const db = await loadAwsServiceSpec();
const [command, ...dirs] = process.argv.slice(2);
if (command === "check" && dirs.length > 0) check(db, dirs);
else if (command === "baseline" && dirs.length === 1) baseline(db, dirs[0]);
else {
  console.error("usage: node templates.mjs check DIR… | baseline DIR");
  process.exit(2);
}
