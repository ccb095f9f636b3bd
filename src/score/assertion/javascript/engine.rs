//! `QuickJS`, through rquickjs: a runtime and context for each call, with nothing of the world
//! outside in it: no file, no network, no module, no clock, no random number.
//!
//! The engine bounds memory, stack and steps. But one call of a built-in function can run for
//! hours without a step (a search for one long text in another, say), so each call has a thread of
//! its own, which is left behind when it does not end in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use rquickjs::context::intrinsic;
use rquickjs::function::Constructor;
use rquickjs::{Context, Ctx, Error, Function, Runtime, Value};

use crate::base::text;

const MOST_MEMORY: usize = 32 << 20;
const MOST_STACK: usize = 512 << 10;
/// What the engine's stack stands in.
const THREAD_STACK: usize = 2 << 20;
/// Of 10,000 each: calls, returns to the head of a loop, steps back in a regular expression.
const MOST_STEPS: u32 = 1_000;
/// The most turns of promises.
const MOST_TURNS: u32 = 100_000;
/// How long a call is waited for; its steps end it far sooner on any machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is there besides the base of the language: not `Date`, `performance`, `Proxy`, `WeakRef`.
type Intrinsics = (
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
);

/// Takes away what differs from run to run, and gives a console that says nothing.
const PRELUDE: &str = "delete Math.random; delete globalThis.Atomics; \
    delete globalThis.SharedArrayBuffer; globalThis.console = {}; \
    for (const name of ['debug', 'error', 'info', 'log', 'trace', 'warn']) \
    console[name] = () => {};";

/// What a program gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// `true` or `false`.
    Boolean(bool),
    /// A finite number.
    Number(f64),
    /// An object with a `pass`.
    Grade {
        /// Its `pass`.
        pass: bool,
        /// Its `score`.
        score: Option<f64>,
        /// Its `reason`.
        reason: Option<String>,
    },
    /// An error that the answer may be the cause of.
    Threw(String),
}

/// Why a program gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// The program is wrong, whatever the answer.
    Program(String),
    /// A bound was met.
    Bound(&'static str),
    /// A bound was met, and the thread could not be ended.
    Stuck,
}

/// A program that compiles.
#[derive(Debug, Clone)]
pub struct Program {
    body: Arc<str>,
    /// Set once a call was left behind: a second one would only take another thread.
    stuck: Arc<AtomicBool>,
}

impl Program {
    /// Reads a program: an expression; else, with the word `return`, the body of a function; else
    /// statements of which the last has the value.
    ///
    /// # Errors
    /// What the engine says of it.
    pub fn compile(source: &str) -> Result<Self, Halt> {
        let source = source.trim_end_matches(|c: char| c == ';' || c.is_whitespace());
        let source = source.to_owned();
        let body = confined(PATIENCE, move |engine| {
            let expression = format!("return (\n{source}\n)");
            let as_expression = engine.check(&expression);
            if as_expression.is_ok() {
                return Ok(expression);
            }
            engine.check(&source)?;
            if source.contains("return") {
                return Ok(source);
            }
            let literal = serde_json::Value::from(source.as_str());
            Ok(format!("return eval({literal})"))
        })?;
        Ok(Self {
            body: body.into(),
            stuck: Arc::default(),
        })
    }

    /// Runs the program with `output` and `context`, both JSON.
    ///
    /// # Errors
    /// When a bound is met, or the program is wrong whatever the answer.
    pub fn run(&self, output: String, context: String) -> Result<Given, Halt> {
        self.run_within(PATIENCE, output, context)
    }

    fn run_within(
        &self,
        patience: Duration,
        output: String,
        context: String,
    ) -> Result<Given, Halt> {
        if self.stuck.load(Ordering::Relaxed) {
            return Err(Halt::Bound("an earlier call of it did not end"));
        }
        let body = Arc::clone(&self.body);
        let found = confined(patience, move |engine| engine.run(&body, output, context));
        if found == Err(Halt::Stuck) {
            self.stuck.store(true, Ordering::Relaxed);
        }
        found
    }
}

/// Does the work on a thread that can be left behind.
fn confined<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce(&Engine) -> Result<T, Halt> + Send + 'static,
) -> Result<T, Halt> {
    let unwanted = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = sync_channel(1);
    let flag = Arc::clone(&unwanted);
    let thread = thread::Builder::new()
        .name("javascript".to_owned())
        .stack_size(THREAD_STACK)
        .spawn(move || {
            let found = Engine::new(flag).and_then(|engine| work(&engine));
            // Nobody may be there any more.
            drop(sender.send(found));
        })
        .map_err(|_| Halt::Bound("there is no thread for it"))?;
    let end = match receiver.recv_timeout(patience) {
        Err(RecvTimeoutError::Timeout) => {
            unwanted.store(true, Ordering::Relaxed);
            // Its next step sees that nobody waits.
            match receiver.recv_timeout(patience / 10) {
                Err(RecvTimeoutError::Timeout) => return Err(Halt::Stuck),
                Err(RecvTimeoutError::Disconnected) | Ok(_) => Err(Halt::Bound("it took too long")),
            }
        }
        Err(RecvTimeoutError::Disconnected) => Err(Halt::Bound("the engine gave up")),
        Ok(found) => found,
    };
    // It has nothing more to do, and a panic of it was answered above.
    drop(thread.join());
    end
}

struct Engine {
    context: Context,
    steps: Arc<AtomicU32>,
}

impl Engine {
    fn new(unwanted: Arc<AtomicBool>) -> Result<Self, Halt> {
        let memory = |_| Halt::Bound("there is no memory for it");
        let runtime = Runtime::new().map_err(memory)?;
        runtime.set_memory_limit(MOST_MEMORY);
        runtime.set_max_stack_size(MOST_STACK);
        let steps = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&steps);
        runtime.set_interrupt_handler(Some(Box::new(move || {
            counter.fetch_add(1, Ordering::Relaxed) >= MOST_STEPS
                || unwanted.load(Ordering::Relaxed)
        })));
        let context = Context::custom::<Intrinsics>(&runtime).map_err(memory)?;
        let engine = Self { context, steps };
        engine
            .context
            .with(|js| js.eval::<(), _>(PRELUDE))
            .map_err(memory)?;
        Ok(engine)
    }

    fn check(&self, body: &str) -> Result<(), Halt> {
        self.context.with(|js| match function(&js, body) {
            Ok(_) => Ok(()),
            Err(error) => match self.explain(&js, error.into())? {
                Given::Threw(message) => Err(Halt::Program(message)),
                Given::Boolean(_) | Given::Number(_) | Given::Grade { .. } => Ok(()),
            },
        })
    }

    fn run(&self, body: &str, output: String, context: String) -> Result<Given, Halt> {
        self.context.with(|js| {
            let call = || {
                let output = js.json_parse(output)?;
                let context = js.json_parse(context)?;
                let given = (output.clone(), context.clone());
                let mut value: Value<'_> = function(&js, body)?.call(given)?;
                if let Some(function) = value.clone().into_function() {
                    value = function.call((output, context))?;
                }
                read(&settle(&js, value)?)
            };
            call().or_else(|trouble| self.explain(&js, trouble))
        })
    }

    /// What an error means: the answer's doing, the program's, or a bound.
    fn explain(&self, js: &Ctx<'_>, trouble: Trouble) -> Result<Given, Halt> {
        let error = match trouble {
            Trouble::Halt(halt) => return Err(halt),
            Trouble::Js(error) => error,
        };
        if self.steps.load(Ordering::Relaxed) >= MOST_STEPS {
            return Err(Halt::Bound("it took too many steps"));
        }
        match error {
            Error::Exception => {}
            Error::Allocation => return Err(OUT_OF_MEMORY),
            // Such as a text that is not UTF-8.
            error => return Err(Halt::Program(harmless(&error.to_string()))),
        }
        let thrown = js.catch();
        let Some(thrown) = thrown.as_object() else {
            let text = thrown.get::<rquickjs::Coerced<String>>();
            let text = text.map_or_else(|_| "a value".to_owned(), |text| text.0);
            return Ok(Given::Threw(harmless(&text)));
        };
        let text = |key: &str| thrown.get::<_, String>(key).unwrap_or_default();
        let (name, message) = (text("name"), text("message"));
        // Also where the reading of the error was too much.
        if self.steps.load(Ordering::Relaxed) >= MOST_STEPS {
            return Err(Halt::Bound("it took too many steps"));
        }
        match (name.as_str(), message.as_str()) {
            ("InternalError", "out of memory" | "string too long") => Err(OUT_OF_MEMORY),
            ("RangeError", "Maximum call stack size exceeded") => {
                Err(Halt::Bound("its calls stand too deep in each other"))
            }
            // No answer makes a name, a length or a pattern of the program another.
            ("InternalError" | "RangeError" | "ReferenceError", _) => {
                Err(Halt::Program(harmless(&format!("{name}: {message}"))))
            }
            _ => Ok(Given::Threw(harmless(&format!("{name}: {message}")))),
        }
    }
}

const OUT_OF_MEMORY: Halt = Halt::Bound("it took too much memory");

/// Why there is no value: an error of the engine, or what is known about it already.
enum Trouble {
    Js(Error),
    Halt(Halt),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Js(error)
    }
}

/// The function of `output` and `context` that has this body.
fn function<'js>(js: &Ctx<'js>, body: &str) -> Result<Function<'js>, Error> {
    let constructor: Constructor<'js> = js.globals().get("Function")?;
    constructor.construct(("output", "context", body))
}

/// The value that a promise comes to; any other value is itself.
fn settle<'js>(js: &Ctx<'js>, value: Value<'js>) -> Result<Value<'js>, Trouble> {
    let Some(promise) = value.as_promise() else {
        return Ok(value);
    };
    for _ in 0..MOST_TURNS {
        if let Some(value) = promise.result() {
            return Ok(value?);
        }
        if !js.execute_pending_job() {
            let never = "the promise is never kept".to_owned();
            return Err(Trouble::Halt(Halt::Program(never)));
        }
    }
    Err(Trouble::Halt(Halt::Bound("it took too many steps")))
}

/// What a value says of the answer.
fn read(value: &Value<'_>) -> Result<Given, Trouble> {
    let wrong = |found: &str| {
        let wanted = "not true, false, a finite number or an object with `pass`";
        Trouble::Halt(Halt::Program(format!("it gives {found}, {wanted}")))
    };
    if let Some(boolean) = value.as_bool() {
        return Ok(Given::Boolean(boolean));
    }
    if let Some(number) = value.as_number() {
        return if number.is_finite() {
            Ok(Given::Number(number))
        } else {
            Err(wrong(&number.to_string()))
        };
    }
    let Some(object) = value.as_object() else {
        return Err(wrong(value.type_name()));
    };
    let pass: Value<'_> = object.get("pass")?;
    let score: Value<'_> = object.get("score")?;
    let reason: Value<'_> = object.get("reason")?;
    let Some(pass) = pass.as_bool() else {
        return Err(wrong("an object whose `pass` is not true or false"));
    };
    let score = match (score.as_number(), score.is_undefined() || score.is_null()) {
        (Some(score), _) if score.is_finite() => Some(score),
        (None, true) => None,
        _ => return Err(wrong("an object whose `score` is not a finite number")),
    };
    Ok(Given::Grade {
        pass,
        score,
        reason: reason.get::<Option<String>>().ok().flatten(),
    })
}

/// A text of the program on one line, without what could do harm.
fn harmless(message: &str) -> String {
    const MOST: usize = 160;
    let visible = text::visible_line(text::byte_prefix(message, 4 * MOST));
    text::shorten(&visible, MOST).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_no_step_ends_is_left_behind_and_no_other_follows_it() {
        let source = "[].indexOf.call({length: 2 ** 26}, 1) > 0";
        let program = Program::compile(source).unwrap();
        let run = |patience| program.run_within(patience, "1".to_owned(), "{}".to_owned());
        assert_eq!(run(Duration::ZERO), Err(Halt::Stuck));
        let refused = Halt::Bound("an earlier call of it did not end");
        assert_eq!(run(PATIENCE), Err(refused));
    }

    #[test]
    fn each_call_has_a_context_of_its_own() {
        let program = Program::compile("globalThis.n = (globalThis.n ?? 0) + 1").unwrap();
        for _ in 0..2 {
            let given = program.run("1".to_owned(), "{}".to_owned());
            assert_eq!(given, Ok(Given::Number(1.0)));
        }
    }
}
