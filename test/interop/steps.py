"""What the programs of this folder share: steps that print a line each, and the way to the server."""

import json
import os
import sys
import traceback


class Steps:
    """Runs steps one after another and counts them. A step that fails does not keep the next ones from running."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.group = ''

    def step(self, name, function):
        """Run a step and return what it returns, None if it fails."""
        title = f'{self.group} {name}'.strip()
        try:
            result = function()
        except Exception as error:  # the next steps are to run whatever this one ran into
            self.failed += 1
            print(f'FAILED {title}: {type(error).__name__}: {error}', flush=True)
            where = traceback.extract_tb(error.__traceback__)[-1]
            print(f'       {where.filename.rsplit("/", 1)[-1]}:{where.lineno} {where.line}', flush=True)
            return None
        self.passed += 1
        print(f'ok     {title}', flush=True)
        return result

    def finish(self):
        """Print the sums and end the program: exit code 1 if a step failed or none ran."""
        print(f'{self.passed} passed, {self.failed} failed', flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)


def equal(actual, expected, what='value'):
    if actual != expected:
        raise AssertionError(f'{what} is {actual!r}, not {expected!r}')


def server(argument_index=1):
    """The data directory of a running `kmipd dev`: (host, port, folder of the default credential)."""
    if len(sys.argv) <= argument_index:
        sys.exit(f'usage: {os.path.basename(sys.argv[0])} DATA_DIR')
    folder = os.path.abspath(sys.argv[argument_index])
    with open(os.path.join(folder, 'listeners.json'), encoding='utf8') as file:
        host, _, port = json.load(file)['kmip'].rpartition(':')
    return host, int(port), os.path.join(folder, 'clients', 'default')
