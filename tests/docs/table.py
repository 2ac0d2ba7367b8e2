"""Which test runs each block of the documents. A place is a page, a section as links name it, and from the second block
of a section on its number. Blocks of stack files are in no row: all are read by the program, in test_pages.py."""

from __future__ import annotations

# `make`: the target exists, and make would know what to run.
MAKE = "tests/docs/test_pages.py::test_targets"
# The README from top to bottom, two operators and a CI job, on a server as it is bought.
BOUGHT = "tests/host/test_access.py::test_a_server_as_it_is_bought"
# Recipes for a server on which a project runs.
SERVER = "tests/host/test_deploy.py::test_recipes_for_a_server"
# From one server to another, data and all.
MOVED = "tests/host/test_moved.py::test_the_data_are_carried_over"
# Backups, restored where they were made and on another server.
RESTORED = "tests/host/test_backups.py::test_a_lost_server_comes_back_on_another_one"
# A database as it was at a moment.
MOMENT = "tests/host/test_moment.py::test_a_database_comes_back_as_it_was_at_a_moment"
# The program `codesensei`.
COMMANDS = "tests/host/test_commands.py::test_the_commands_as_they_are_printed"
# Uploads, and who gets them.
UPLOADS = "tests/host/test_static.py::test_files_of_this_release_and_the_one_before"
# Review stacks, in front of a `pulumi` that is played; tests/host/test_review.py makes real ones.
REVIEW = "tests/console/test_review.py::test_the_commands_as_they_are_printed"
# The stack file of a first deploy, in front of the same.
INIT = "tests/console/test_init.py::test_the_command_as_it_is_printed"
# What Pulumi does on the operator's machine: states, passphrases, values of a stack that is never deployed.
DESK = "tests/docs/test_desk.py::test_at_the_operator_s_desk"

RUN_BY = {
    "README.md#see-it-work": BOUGHT,
    "README.md#see-it-work.2": MAKE,
    "README.md#what-your-project-must-have": BOUGHT,
    "README.md#1-tools-and-a-place-for-the-state": BOUGHT,
    "README.md#2-the-stack": BOUGHT,
    "README.md#2-the-stack.2": BOUGHT,
    "README.md#3-the-project": BOUGHT,
    "README.md#3-the-project.2": BOUGHT,
    "README.md#3-the-project.3": INIT,
    "README.md#4-dns-and-https": BOUGHT,
    "README.md#5-preview-then-deploy": BOUGHT,
    "README.md#everyday-tasks": BOUGHT,
    "README.md#everyday-tasks.2": BOUGHT,
    "README.md#everyday-tasks.3": BOUGHT,
    "README.md#everyday-tasks.4": BOUGHT,
    "README.md#everyday-tasks.5": BOUGHT,
    "CONTRIBUTING.md#set-up": MAKE,
    "CONTRIBUTING.md#test": MAKE,
    "CONTRIBUTING.md#test.2": MAKE,
    "docs/backups.md#the-password": RESTORED,
    "docs/backups.md#everyday": COMMANDS,
    "docs/backups.md#everyday.2": RESTORED,
    "docs/backups.md#restore": COMMANDS,
    "docs/backups.md#restore.2": RESTORED,
    "docs/backups.md#to-a-moment.2": MOMENT,
    "docs/backups.md#to-a-moment.3": MOMENT,
    "docs/backups.md#the-server-is-lost": RESTORED,
    "docs/backups.md#the-server-is-lost.2": RESTORED,
    "docs/database.md#which-database": DESK,
    "docs/operating.md#where-the-state-is": DESK,
    "docs/operating.md#where-the-state-is.2": DESK,
    "docs/operating.md#what-to-keep-safe": SERVER,
    "docs/operating.md#commands": COMMANDS,
    "docs/operating.md#a-commit-by-its-name": DESK,
    "docs/operating.md#a-second-operator": BOUGHT,
    "docs/operating.md#a-second-operator.2": DESK,
    "docs/operating.md#keys": DESK,
    "docs/operating.md#keys.2": DESK,
    "docs/operating.md#a-new-machine": MOVED,
    "docs/operating.md#policy": DESK,
    "docs/operating.md#variables-from-elsewhere": DESK,
    "docs/operating.md#staging-and-production": BOUGHT,
    "docs/operating.md#ci": BOUGHT,
    "docs/operating.md#web-process-and-workers": SERVER,
    "docs/operating.md#web-process-and-workers.2": SERVER,
    "docs/operating.md#protected-downloads": UPLOADS,
    "docs/operating.md#when-a-run-was-interrupted": COMMANDS,
    "docs/operating.md#when-a-run-was-interrupted.2": DESK,
    "docs/operating.md#when-a-run-was-interrupted.3": DESK,
    "docs/operating.md#removing-a-stack.2": BOUGHT,
    "docs/operating.md#removing-a-stack.3": DESK,
    "docs/previews.md#in-a-merge-request": MAKE,
    "docs/review.md#review-stacks": REVIEW,
    "docs/review.md#in-a-pipeline": REVIEW,
    "docs/troubleshooting.md#the-connection": SERVER,
    "docs/troubleshooting.md#the-site": SERVER,
    "docs/troubleshooting.md#the-project": SERVER,
}
# Blocks that no test can run, each with the reason.
NOT_RUN: dict[str, str] = {}
