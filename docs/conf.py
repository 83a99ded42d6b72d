"""Sphinx configuration; build by ``sphinx-build -n -W --keep-going docs docs/_build/html``."""

import inspect
import pkgutil
import shutil
import sys
import warnings
from importlib import import_module
from importlib.metadata import version as installed_version
from pathlib import Path

from sphinx.ext.napoleon import GoogleDocstring

import inftydiff

# sphinx-autodoc-typehints calls what Sphinx 10 removes; the requirements keep Sphinx below 10.
warnings.filterwarnings("ignore", module="sphinx_autodoc_typehints", category=DeprecationWarning)

HERE = Path(__file__).parent

project = "inftydiff"
author = "inftydiff contributors"
copyright = f"2026, {author}"
version = release = installed_version("inftydiff")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx_autodoc_typehints",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx-mathjax-offline",  # the pages load nothing from elsewhere
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "inftydiff"
html_show_sourcelink = False

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_render_markdown_format = "myst"  # which has tables
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "jupyter_cache")
nb_execution_raise_on_error = True
nb_execution_timeout = 300

autodoc_default_options = {"show-inheritance": True}
autodoc_member_order = "bysource"
napoleon_google_docstring = napoleon_numpy_docstring = False  # read_docstring does it
always_use_bars_union = True
typehints_use_rtype = False
copybutton_exclude = ".linenos, .gp, .go"

nitpicky = True
# The build reaches no network, so other projects' inventories are not at hand.
nitpick_ignore_regex = [
    (r"py:.*", r"(accelerate|hypothesis|jaxtyping|matplotlib|numpy|PIL|torch|tyro|zarr)(\..*)?"),
    (r"py:.*", rf"({'|'.join(sorted(sys.stdlib_module_names))})\..*"),
    (r"py:.*", r"Ellipsis|(.*\.)?(Annotated|Tensor)"),
    (r"py:.*", r"inftydiff\..*\._\w+(\..*)?|.*\._\w+\.\w+"),  # private modules have no page
]


def write_pages(app):
    """Write a page for every public module, and on a package's page list what is in it.

    Autosummary would do it, but takes a module for the function of the same name beside it.
    """
    folder = HERE / "api" / "generated"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for module in pkgutil.walk_packages(inftydiff.__path__, "inftydiff."):
        if "._" in module.name:
            continue
        page = [module.name, "=" * len(module.name), "", f".. automodule:: {module.name}"]
        if module.ispkg:
            inside = pkgutil.iter_modules(import_module(module.name).__path__, f"{module.name}.")
            names = [name for _, name, _ in inside if "._" not in name]
            page += ["", *(f"* :py:mod:`{name}`: {summary(name)}" for name in names), ""]
            page += [".. toctree::", "   :hidden:", "", *(f"   {name}" for name in names)]
        else:
            page += ["   :members:", "   :special-members: __call__"]
            if module.name == "inftydiff.pipelines.infty_diff":  # its parts have no pages
                page += ["   :inherited-members: Module"]
        (folder / f"{module.name}.rst").write_text("\n".join(page), encoding="utf-8")


def summary(name):
    """Give the first line of a module's docstring."""
    return inspect.getdoc(import_module(name)).partition("\n")[0]


def read_docstring(app, what, name, obj, options, lines):
    """Read a Google-style docstring, a property's or a constant's like any other.

    On these two napoleon takes what precedes the first colon for a type, and knows no sections.
    """
    kind = "method" if what in {"attribute", "data", "property"} else what
    docstring = GoogleDocstring(lines, app.config, app, kind, name, obj, options)
    lines[:] = str(docstring).split("\n")


def resolve(app, env, node, contnode):
    """Link a name that a module or ``inftydiff`` re-exports to where its object is described.

    What a class has from a private module is described with the class.
    """
    target = node["reftarget"]
    domain = env.domains["py"]
    for name in (target, f"{node.get('py:module')}.{target}", f"inftydiff.{target}"):
        owner, _, attribute = name.rpartition(".")
        for described, rest in ((name, ""), (owner, f".{attribute}")):
            try:
                found = pkgutil.resolve_name(described)
                pkgutil.resolve_name(name)
            except (AttributeError, ImportError, ValueError):
                continue
            found = getattr(found, "fget", found)
            if getattr(found, "__module__", "").startswith("inftydiff."):
                full = f"{found.__module__}.{found.__qualname__}{rest}"
                link = domain.resolve_xref(
                    env, node["refdoc"], app.builder, "obj", full, node, contnode
                )
                if link is not None:
                    return link
    return None


def setup(app):
    """Register the functions above."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", read_docstring, priority=400)
    app.connect("missing-reference", resolve)
