"""A program of one's own: its folder (`project`), the cases it is tested on, and templates."""

from sdk.projects.project import (
    BUILDERS,
    Project,
    new_project,
    open_project,
    project_of_example,
)

__all__ = ["BUILDERS", "Project", "new_project", "open_project", "project_of_example"]
