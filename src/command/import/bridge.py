# Written by `gate import promptfoo`: promptfoo's Python functions and programs behind the protocol of
# `exec` models and scorers, one JSON object a line each way (docs/files.md).
#
#   promptfoo_bridge.py assert FILE FUNCTION [THRESHOLD]   get_assert(output, context)
#   promptfoo_bridge.py provider FILE FUNCTION [CONFIG]    call_api(prompt, options, context)
#   promptfoo_bridge.py exec WORD...                       WORD... PROMPT OPTIONS CONTEXT
#
# It runs with the rights of whoever said --allow-exec.
import asyncio
import importlib.util
import inspect
import json
import os
import subprocess
import sys


def load(path, name):
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location("promptfoo_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def called(function, *arguments):
    result = function(*arguments)
    return asyncio.run(result) if inspect.isawaitable(result) else result


def prompt_of(messages):
    if len(messages) == 1 and messages[0]["role"] == "user":
        return messages[0]["content"]
    return json.dumps(messages)


def graded(result, threshold):
    if isinstance(result, str):
        text = result.strip()
        if text.lower() in ("true", "false"):
            result = text.lower() == "true"
        elif text.startswith("{"):
            result = json.loads(text)
        else:
            result = float(text)
    if isinstance(result, bool):
        return {"pass": result, "score": 1.0 if result else 0.0, "reason": f"the function returned {result}"}
    if isinstance(result, (int, float)):
        passed = result > 0 if threshold is None else result >= threshold
        return {"pass": passed, "score": clamped(result), "reason": f"the function returned {result}"}
    passed = result.get("pass", result.get("pass_"))
    score = result.get("score", 1.0 if passed else 0.0)
    if threshold is not None and score < threshold:
        passed = False
    return {"pass": bool(passed), "score": clamped(score), "reason": str(result.get("reason", ""))}


def clamped(score):
    return min(1.0, max(0.0, float(score)))


def assertion(words):
    function = load(words[0], words[1])
    threshold = float(words[2]) if len(words) > 2 else None

    def answer(request):
        context = {"vars": request.get("vars") or {}, "prompt": None, "test": {"vars": request.get("vars") or {}}}
        return graded(called(function, request["output"], context), threshold)

    return answer


def provider(words):
    function = load(words[0], words[1])
    config = json.loads(words[2]) if len(words) > 2 else {}

    def answer(request):
        context = {"vars": request.get("vars") or {}}
        result = called(function, prompt_of(request["messages"]), {"config": config}, context)
        if result.get("error"):
            return {"error": str(result["error"])}
        output = result.get("output")
        return {"output": output if isinstance(output, str) else json.dumps(output)}

    return answer


def program(words):
    def answer(request):
        prompt = prompt_of(request["messages"])
        run = subprocess.run([*words, prompt, "{}", "{}"], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            return {"error": f"exit {run.returncode}: {run.stderr.strip()[:500]}"}
        return {"output": run.stdout.strip()}

    return answer


def main():
    kinds = {"assert": assertion, "provider": provider, "exec": program}
    answer = kinds[sys.argv[1]](sys.argv[2:])
    replies, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = answer(request)
        except Exception as error:  # the trial is errored, not the program
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"id": request["id"], **reply}), file=replies, flush=True)


if __name__ == "__main__":
    main()
