//! The OpenAPI document of `/v1`, made from the routes themselves: what a handler takes and answers is what it says.

use aide::OperationInput;
use aide::axum::ApiRouter;
use aide::axum::routing::ApiMethodRouter;
use aide::generate::GenContext;
use aide::openapi::{MediaType, OpenApi, Operation, ReferenceOr, RequestBody, SchemaObject, SecurityScheme};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema, set_body};
use aide::transform::{TransformOpenApi, TransformOperation};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bytes::Bytes;
use schemars::{JsonSchema, Schema, json_schema};

use super::Api;
use super::auth::{Caller, Visit};
use super::body::{Body, Id, Parameters, Raw, Several};
use super::problem::Problem;
use super::publish::MOST;
use super::tag::Seen;

/// Where the document is.
const PATH: &str = "/v1/openapi.json";
/// The name of the one way to say who asks.
const BEARER: &str = "api_key";

/// Routes that cannot be had without being documented.
#[derive(Debug)]
pub(super) struct Documented(ApiRouter<Api>);

impl Documented {
    pub(super) fn new() -> Self {
        Self(ApiRouter::new())
    }

    /// Adds a path with its methods.
    pub(super) fn at(self, path: &str, methods: ApiMethodRouter<Api>) -> Self {
        Self(self.0.api_route(path, methods))
    }

    /// The routes, with one more that answers their document.
    pub(super) fn finish(self) -> Router<Api> {
        let mut document = OpenApi::default();
        let router = self.0.finish_api_with(&mut document, head);
        name(&mut document);
        // Nothing in it can fail to be written.
        let text = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
        router.route(PATH, get(async move || ([(CONTENT_TYPE, "application/json")], text.clone())))
    }
}

/// One line about an operation.
pub(super) fn about(text: &'static str) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> {
    move |operation| operation.summary(text)
}

fn head(document: TransformOpenApi<'_>) -> TransformOpenApi<'_> {
    let scheme = SecurityScheme::Http {
        scheme: "bearer".to_owned(),
        bearer_format: None,
        description: Some(
            "An API key, `whb_test_…` or `whb_live_…`: it sees and does what is of its mode.".to_owned(),
        ),
        extensions: Default::default(),
    };
    document
        .title("webhook-bridge")
        .version(env!("CARGO_PKG_VERSION"))
        .description("Delivers events to registered endpoints. Lists go on at `cursor` = their `next`; a page may be short and not the last.")
        .security_scheme(BEARER, scheme)
        .default_response_with::<Problem, _>(|problem| problem.description("A problem, by RFC 9457."))
}

/// Gives each operation an id, of its method and path.
fn name(document: &mut OpenApi) {
    let Some(paths) = &mut document.paths else { return };
    for (path, item) in &mut paths.paths {
        let ReferenceOr::Item(item) = item else { continue };
        let words: Vec<_> =
            path.split(['/', '{', '}', '.']).filter(|word| !word.is_empty() && *word != "v1").collect();
        let of = words.join("_");
        for (method, operation) in [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ] {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}_{of}"));
            }
        }
    }
}

impl OperationInput for Caller {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        operation.security.push([(BEARER.to_owned(), Vec::new())].into_iter().collect());
    }
}

/// What only browsers send is no part of the document.
impl OperationInput for Visit {}

impl OperationInput for Id {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        add(ctx, operation, path(), ParamLocation::Path);
    }
}

impl OperationInput for Seen {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        add(ctx, operation, path(), ParamLocation::Path);
        let tag = json_schema!({
            "type": "object",
            "properties": { "If-Match": {
                "type": "string",
                "description": "The `ETag` that was seen: 412 where it is another by now.",
            } },
        });
        add(ctx, operation, tag, ParamLocation::Header);
    }
}

impl<T: JsonSchema> OperationInput for Parameters<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<T>();
        add(ctx, operation, schema, ParamLocation::Query);
    }
}

impl<T: JsonSchema> OperationInput for Body<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<T>();
        body(ctx, operation, schema);
    }
}

impl OperationInput for Raw {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        key(ctx, operation);
        body(ctx, operation, event());
    }
}

impl OperationInput for Several {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        key(ctx, operation);
        let array = json_schema!({ "type": "array", "items": event(), "minItems": 1, "maxItems": MOST });
        let lines = json_schema!({ "type": "string", "description": "An event in each line." });
        bodies(ctx, operation, [("application/json", array), ("application/x-ndjson", lines)]);
    }
}

/// The header that makes publishing repeatable.
fn key(ctx: &mut GenContext, operation: &mut Operation) {
    let key = json_schema!({
        "type": "object",
        "properties": { "Idempotency-Key": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "description": "Once for each key: the same answer to the same body for a day, 409 to another.",
        } },
    });
    add(ctx, operation, key, ParamLocation::Header);
}

/// What an event must have; whatever else it has is kept.
fn event() -> Schema {
    json_schema!({
        "type": "object",
        "description": "An event in its JSON form. Without `source` it is Payment Kit's.",
        "properties": {
            "id": { "type": "string" },
            "type": { "type": "string" },
            "livemode": { "type": "boolean" },
            "source": { "type": "string" },
            "created_at": { "type": "string" },
            "data": {},
        },
        "required": ["id", "type", "livemode", "data", "created_at"],
        "additionalProperties": true,
    })
}

fn path() -> Schema {
    json_schema!({ "type": "object", "properties": { "id": { "type": "string" } }, "required": ["id"] })
}

fn add(ctx: &mut GenContext, operation: &mut Operation, schema: Schema, location: ParamLocation) {
    let parameters = parameters_from_schema(ctx, schema, location);
    add_parameters(ctx, operation, parameters);
}

fn body(ctx: &mut GenContext, operation: &mut Operation, json_schema: Schema) {
    bodies(ctx, operation, [("application/json", json_schema)]);
}

fn bodies<const N: usize>(ctx: &mut GenContext, operation: &mut Operation, kinds: [(&str, Schema); N]) {
    let media = |json_schema| MediaType {
        schema: Some(SchemaObject { json_schema, example: None, external_docs: None }),
        ..MediaType::default()
    };
    let content = kinds.into_iter().map(|(kind, schema)| (kind.to_owned(), media(schema))).collect();
    set_body(ctx, operation, RequestBody { content, ..RequestBody::default() });
}
