"""The page of the Python interface, from its docstrings and signatures: what `import livelog` gives, and nothing else."""

import griffe

_HEAD = """\
# Python

What `import livelog` gives, from its docstrings. It needs nothing but the standard library. How it is used, with examples that
run: [the client](client.md#from-python).
"""


def python_page(source: str) -> str:
    """The page as Markdown. `source`: the folder that holds the package."""
    package = griffe.load("livelog", search_paths=[source], docstring_parser="google", resolve_aliases=True)
    lines = [_HEAD]
    for name, member in sorted(package.members.items(), key=lambda item: (item[0][0].islower(), item[0].lower())):
        if isinstance(member, griffe.Alias) and not name.startswith("_") and "livelog." in member.target_path:
            lines += _object(name, member.final_target, "##", f"livelog.{name}")
    return "\n".join(lines)


def _object(name: str, thing: griffe.Object | griffe.Alias, level: str, shown: str) -> list[str]:
    lines = [f"{level} {shown}", ""]
    if isinstance(thing, griffe.Class):
        bases = ", ".join(str(base) for base in thing.bases)
        constructor = thing.members.get("__init__")
        call = _call(constructor, shown, method=True) if isinstance(constructor, griffe.Function) else ""
        if not call and "dataclass" in thing.labels:
            call = f"{shown}({', '.join(_parameter(parameter) for parameter in list(thing.parameters)[1:])})"
        lines += _code(call or (f"class {shown}({bases})" if bases else f"class {shown}"))
    elif isinstance(thing, griffe.Function):
        lines += _code(_call(thing, shown, method=isinstance(thing.parent, griffe.Class)))
    elif isinstance(thing, griffe.Attribute) and thing.annotation is not None:
        lines += _code(f"{shown}: {thing.annotation}")
    if thing.docstring is not None:
        lines += _docstring(thing.docstring)
    if isinstance(thing, griffe.Class):
        for inner, member in thing.members.items():
            if not inner.startswith("_") and member.docstring is not None:
                lines += _object(inner, member, level + "#", f"{name}.{inner}")
    return lines


def _code(text: str) -> list[str]:
    return ["```python", text, "```", ""]


def _call(function: griffe.Function, shown: str, *, method: bool) -> str:
    parameters: list[str] = []
    keyword_only = False
    for parameter in list(function.parameters)[1 if method else 0 :]:
        if parameter.kind is griffe.ParameterKind.keyword_only and not keyword_only:
            keyword_only = True
            if not any(text.startswith("*") for text in parameters):
                parameters.append("*")
        parameters.append(_parameter(parameter))
    prefix = "async " if "async" in function.labels else ""
    returns = f" -> {function.returns}" if function.returns is not None and function.name != "__init__" else ""
    line = f"{prefix}{shown}({', '.join(parameters)}){returns}"
    if len(line) <= 88:
        return line
    return f"{prefix}{shown}(\n" + "".join(f"    {parameter},\n" for parameter in parameters) + f"){returns}"


def _parameter(parameter: griffe.Parameter) -> str:
    stars = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}.get(parameter.kind, "")  # type: ignore[arg-type]
    text = stars + parameter.name
    if parameter.annotation is not None:
        text += f": {parameter.annotation}"
    if parameter.default is not None and not stars:
        text += f" = {parameter.default}" if parameter.annotation is not None else f"={parameter.default}"
    return text


def _docstring(docstring: griffe.Docstring) -> list[str]:
    lines: list[str] = []
    for section in docstring.parse("google", warnings=False):
        if section.kind is griffe.DocstringSectionKind.text:
            lines += [section.value, ""]
            continue
        if section.kind is griffe.DocstringSectionKind.admonition:
            lines += [f"**{section.title}** {section.value.description}", ""]
            continue
        lines += [f"**{(section.title or section.kind.value).capitalize()}**", ""]
        for item in section.value:
            about = " ".join(item.description.split())
            head = getattr(item, "name", "") or str(item.annotation or "")
            lines.append(f"- `{head}`: {about}" if head else f"- {about}")
        lines.append("")
    return lines
