"""What the site shows besides docs/: the README, and pages and pictures that lie where they are made."""

import os
import re
from pathlib import Path

from mkdocs.structure.files import File, InclusionLevel

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "examples/README.md",
    "experiments/README.md",
    "figures/CLAIMS.md",
    "figures/README.md",
)
LINK = re.compile(r"(!?)\[([^\[\]]*)\]\(([^)\s]+)\)|src=\"([^\"]+)\"")


def on_files(files, config):
    """Add the pages, every published picture and the notebooks; README is the front page."""
    shown = (*ROOT.glob("figures/*/*.[ps][nv]g"), *ROOT.glob("examples/*.ipynb"))
    others = (path.relative_to(ROOT).as_posix() for path in sorted(shown))
    if (
        contents := files.get_file_from_path("README.md")
    ) is not None:  # of docs/, for who reads it as a folder
        files.remove(contents)
    for name in (*PAGES, *others):
        place = (str(ROOT), config.site_dir, config.use_directory_urls)
        files.append(File(name, *place, inclusion=InclusionLevel.INCLUDED))
    return files


def on_page_markdown(markdown, page, config, files):
    """Let links lead where things lie in the site, and leave out those to what is not there, as source files.

    A link to a folder of figures/ leads to its pictures.
    """
    folder = Path(page.file.abs_src_path).parent
    up = "../" * page.file.src_uri.count("/")

    def there(link):
        picture, text, target = link[1], link[2], link[3] or link[4]
        if re.match(r"[a-z]+:|#", target):
            return link[0]
        path, _, anchor = target.partition("#")
        name = Path(os.path.relpath(folder / path, ROOT)).as_posix()
        if (ROOT / name).is_dir() and name.startswith("figures/"):
            name, anchor = "figures/README.md", name.removeprefix("figures/")
        name = "README.md" if name == "docs/README.md" else name.removeprefix("docs/")
        if files.get_file_from_path(name) is None and (folder / path).exists():
            return text or link[0]
        if link[4]:  # HTML is left alone by MkDocs, so it must be right for the page's own folder
            return f'src="{os.path.relpath(name, Path(page.file.dest_uri).parent)}"'
        return f"{picture}[{text}]({up}{name}{'#' if anchor else ''}{anchor})"

    return LINK.sub(there, markdown)
