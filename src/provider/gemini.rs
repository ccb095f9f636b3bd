//! Google Gemini `generateContent`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::anthropic::total;
use super::call::{CallError, EncodeError, Encoded};
use super::classify;
use super::codec::{
    Codec, NO_FINISH, base_url, finish_body, lacks, nonempty, path_segment, put, put_map,
    split_system_strictly, stops, tool_with_schema_key,
};
use super::lenient::{self, Count, Present, Word};
use super::openai::request_id;
use crate::chat::{
    ErrorClass, Finish, ModelSpec, Request, Response, ResponseFormat, Role, ToolCall, Usage,
};
use crate::http::{Reply, Secret, SecretHeader};

/// The codec of `generateContent`.
#[derive(Debug)]
pub struct Gemini;

impl Codec for Gemini {
    fn encode(&self, model: &ModelSpec, request: &Request) -> Result<Encoded, EncodeError> {
        let base = base_url(model)?;
        let id = model.id().strip_prefix("models/").unwrap_or(model.id());
        Ok(Encoded::post(
            format!("{base}/models/{}:generateContent", path_segment(id)),
            Vec::new(),
            finish_body(body(request)?, request)?,
        ))
    }

    fn auth(&self, _: &ModelSpec, key: &Secret) -> SecretHeader {
        ("x-goog-api-key".into(), key.clone())
    }

    fn decode(&self, _: &ModelSpec, reply: &Reply) -> Result<Response, CallError> {
        decode(reply)
    }
}

fn body(request: &Request) -> Result<Map<String, Value>, EncodeError> {
    let (system, turns) = split_system_strictly("Gemini", request)?;
    let mut body = Map::new();
    if !system.is_empty() {
        let parts: Vec<Value> = system.iter().map(|text| json!({"text": text})).collect();
        put(
            &mut body,
            "systemInstruction",
            Some(json!({"parts": parts})),
        );
    }
    let turns = turns.iter().map(|turn| {
        let role = match turn.role {
            Role::System | Role::User => "user",
            Role::Assistant => "model",
        };
        json!({"role": role, "parts": [{"text": turn.content}]})
    });
    put(&mut body, "contents", Some(turns.collect::<Vec<Value>>()));
    put_map(&mut body, "generationConfig", generation_config(request)?);
    if !request.tools.is_empty() {
        put(&mut body, "tools", Some(tools(request)?));
    }
    Ok(body)
}

fn generation_config(request: &Request) -> Result<Map<String, Value>, EncodeError> {
    let params = &request.params;
    let mut config = Map::new();
    put(&mut config, "maxOutputTokens", params.max_tokens);
    put(&mut config, "temperature", params.temperature);
    put(&mut config, "topP", params.top_p);
    put(&mut config, "topK", params.top_k);
    put(&mut config, "stopSequences", stops(request));
    put(&mut config, "seed", params.seed);
    match params.reasoning_effort.as_deref() {
        None => {}
        Some(level @ ("minimal" | "low" | "medium" | "high")) => {
            put(
                &mut config,
                "thinkingConfig",
                Some(json!({"thinkingLevel": level})),
            );
        }
        Some(other) => {
            return Err(lacks(
                "Gemini",
                &format!("reasoning effort `{other}`"),
                "use minimal, low, medium or high, or set \
                 `params.extra.generationConfig.thinkingConfig.thinkingBudget`",
            ));
        }
    }
    if let Some(format) = &request.response_format {
        put(&mut config, "responseMimeType", Some("application/json"));
        match format {
            ResponseFormat::JsonObject => {}
            ResponseFormat::JsonSchema { schema, .. } => {
                put(&mut config, "responseJsonSchema", Some(schema.clone()));
            }
        }
    }
    Ok(config)
}

/// The declared functions as one tool; a tool without a name is in the vendor's form already.
fn tools(request: &Request) -> Result<Vec<Value>, EncodeError> {
    let mut declared = Vec::new();
    let mut tools = Vec::new();
    for tool in &request.tools {
        if tool.is_object() && tool.get("name").is_none() {
            tools.push(tool.clone());
        } else {
            declared.push(tool_with_schema_key(tool, "parametersJsonSchema")?);
        }
    }
    if !declared.is_empty() {
        tools.push(json!({"functionDeclarations": declared}));
    }
    Ok(tools)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Generated<'a> {
    #[serde(borrow)]
    candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow)]
    prompt_feedback: Option<Feedback<'a>>,
    usage_metadata: Option<GeminiUsage>,
    #[serde(borrow, default)]
    model_version: Word<'a>,
    #[serde(borrow, default)]
    response_id: Word<'a>,
    #[serde(default)]
    error: Present,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow, default)]
    finish_reason: Word<'a>,
    #[serde(borrow)]
    content: Option<Content<'a>>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    parts: Option<Vec<Part<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Word<'a>,
    #[serde(default)]
    thought: Present,
    #[serde(borrow)]
    function_call: Option<FunctionCall<'a>>,
}

#[derive(Deserialize)]
struct FunctionCall<'a> {
    #[serde(borrow, default)]
    name: Word<'a>,
    args: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback<'a> {
    #[serde(borrow, default)]
    block_reason: Word<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
struct GeminiUsage {
    prompt_token_count: Count,
    tool_use_prompt_token_count: Count,
    cached_content_token_count: Count,
    candidates_token_count: Count,
    thoughts_token_count: Count,
}

impl GeminiUsage {
    fn normalised(&self) -> Usage {
        let thoughts = self.thoughts_token_count.0;
        // An answer that is all thought reports no candidates' tokens.
        let answer = self
            .candidates_token_count
            .0
            .or_else(|| thoughts.map(|_| 0));
        Usage {
            input_tokens: total(
                self.prompt_token_count.0,
                &[self.tool_use_prompt_token_count.0],
            ),
            cached_input_tokens: self.cached_content_token_count.0,
            cache_write_tokens: None,
            output_tokens: total(answer, &[thoughts]),
            reasoning_tokens: thoughts,
        }
    }
}

fn decode(reply: &Reply) -> Result<Response, CallError> {
    if !(200..300).contains(&reply.status) {
        return Err(classify::reply_error(reply));
    }
    let mut scratch = Vec::new();
    let (generated, lossy) = lenient::read::<Generated<'_>>(&reply.body, &mut scratch)
        .map_err(|error| classify::bad_body(reply, &format!("not a generated content: {error}")))?;
    if generated.error.0 {
        return Err(classify::error_in_success(reply));
    }
    let mut response = Response {
        usage: generated.usage_metadata.unwrap_or_default().normalised(),
        served_model: generated.model_version.into_nonempty(),
        request_id: request_id(reply, "x-request-id", generated.response_id),
        lossy,
        ..Response::default()
    };
    let candidate = generated
        .candidates
        .and_then(|list| list.into_iter().next());
    let Some(candidate) = candidate else {
        let blocked = generated
            .prompt_feedback
            .and_then(|it| it.block_reason.into_nonempty());
        if blocked.is_some() {
            response.finish = Finish::Filtered;
            return Ok(response);
        }
        let why = "a generated content without candidates";
        return Err(classify::success_without_answer(
            reply,
            ErrorClass::Empty,
            why,
        ));
    };
    let mut has_text = false;
    for part in candidate
        .content
        .and_then(|content| content.parts)
        .into_iter()
        .flatten()
    {
        if let Some(call) = part.function_call {
            response.tool_calls.push(ToolCall {
                name: call.name.into_nonempty().unwrap_or_default(),
                arguments: call.args.unwrap_or_else(|| json!({})),
            });
        }
        if let (false, Some(text)) = (part.thought.0, part.text.as_str()) {
            has_text = true;
            response.text.push_str(text);
        }
    }
    response.finish = finish(candidate.finish_reason.as_str());
    if response.finish == Finish::Stop && !response.tool_calls.is_empty() {
        response.finish = Finish::Tool;
    }
    nonempty(response, has_text, reply)
}

fn finish(word: Option<&str>) -> Finish {
    match word {
        Some("STOP") => Finish::Stop,
        Some("MAX_TOKENS") => Finish::Length,
        Some(
            "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII",
        ) => Finish::Filtered,
        Some(image) if image.starts_with("IMAGE_") => Finish::Filtered,
        Some("MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS") => {
            Finish::ToolFault
        }
        Some("OTHER") => Finish::Error("OTHER".to_owned()),
        Some(other) => Finish::Other(other.to_owned()),
        None => Finish::Other(NO_FINISH.to_owned()),
    }
}
