"""Which names a cell's code defines at its top level, and which it needs from elsewhere (by the compiler's own symbol tables)."""

import ast
import builtins
import symtable

BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__", "display", "get_ipython"}


def defined(source: str) -> set[str]:
    """Names that running `source` binds at its top level: assignments, imports, functions, classes, loop variables."""
    return {symbol.get_name() for symbol in symtable.symtable(source, "cell", "exec").get_symbols() if _binds(symbol)}


def needed(source: str) -> set[str]:
    """Names that `source` reads, at its top level or inside functions, and neither defines, imports nor finds among the builtins."""
    table = symtable.symtable(source, "cell", "exec")
    return _globals_read(table) - defined(source) - BUILTINS


def calls_with(source: str, names: set[str]) -> list[ast.Call]:
    """Calls written `module.name(...)` whose dotted text is in `names`, in order."""
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and ast.unparse(node.func) in names]


def _binds(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def _globals_read(table: symtable.SymbolTable) -> set[str]:
    """Every name that is looked up in the module's namespace from `table` or from a scope inside it."""
    module = table.get_type() == "module"
    found = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced() and (module or symbol.is_global())}
    for child in table.get_children():
        found |= _globals_read(child)
    return found


def silent_asserts(source: str) -> list[int]:
    """Line numbers of asserts that say nothing when they fail."""
    return [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert) and node.msg is None]


def code_arguments(source: str, functions: set[str]) -> list[int]:
    """Line numbers of calls to one of `functions` that hand over code: a lambda, or a function or class that `source` defines."""
    tree = ast.parse(source)
    local = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(isinstance(value, ast.Lambda) or (isinstance(value, ast.Name) and value.id in local) for value in given):
                found.append(node.lineno)
    return found
