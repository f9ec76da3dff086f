"""The command table; the only room that knows the terminal, the environment and the clock."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import click

from kotaci import __version__
from kotaci.cli.acting import apply_command, plan_command, publish_command
from kotaci.cli.auditing import audit_command
from kotaci.cli.claiming import claim_command
from kotaci.cli.configuring import config_command
from kotaci.cli.explaining import causes_command
from kotaci.cli.fetching import fetch_command
from kotaci.cli.handing import handoff_command
from kotaci.cli.holding import store_group
from kotaci.cli.importing import import_command
from kotaci.cli.reporting import report_command
from kotaci.cli.reproducing import reproduce_command
from kotaci.cli.starting import init_command
from kotaci.cli.terminal import complain, start_logging
from kotaci.cli.triaging import triage_command
from kotaci.cli.watching import watch_command
from kotaci.cli.working import lab_command
from kotaci.model import ExitCode, KotaciError

EXIT_CODES = """
\b
Exit codes: 0 done · 1 done, and a finding is at or above --fail-on, a claim is contradicted, or a failure
is not reproduced · 2 bad input or configuration · 3 incomplete but kept, run again · 4 GitHub refused ·
5 a notebook failed, the rest was delivered · kotaci watch returns its command's
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="kotaci")
@click.option("--verbose", is_flag=True, help="Say on stderr what is done.")
@click.option("--log-json", is_flag=True, help="The same as JSON, one object a line.")
def cli(*, verbose: bool, log_json: bool) -> None:
    """Investigate GitHub Actions that are red, flaky or slow."""
    start_logging(verbose=verbose, as_json=log_json)


for command in (
    init_command,
    fetch_command,
    import_command,
    store_group,
    report_command,
    lab_command,
    config_command,
    causes_command,
    triage_command,
    audit_command,
    claim_command,
    reproduce_command,
    handoff_command,
    watch_command,
    plan_command,
    apply_command,
    publish_command,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; errors are one line on stderr."""
    try:
        cli.main(args=None if arguments is None else list(arguments), prog_name="kotaci", standalone_mode=False)
    except KotaciError as error:
        complain(error)
        return error.exit_code
    except OSError as error:
        # A disk that fills while a report is written, a folder that vanishes: what stands is whole, each file being
        # replaced in one step.
        complain(f"{error.filename or 'disk'}: {error.strerror or error}; mend that and run it again")
        return ExitCode.INCOMPLETE
    except click.exceptions.Abort:
        complain("stopped; what was stored is kept, run it again to go on")
        return ExitCode.INCOMPLETE
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return ExitCode.BAD_INPUT
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        told = error.format_message().rstrip(".")
        complain(f"{told}; see {context.command_path if context else 'kotaci'} --help")
        return ExitCode.BAD_INPUT
    except SystemExit as ended:
        return int(ended.code or 0)
    except Exception as error:
        # The contract knows no other exit codes; the trace is there for whoever asks for it.
        logging.getLogger("kotaci").exception("unexpected")
        words = " ".join(str(error).split())[:200]
        hint = "run `kotaci store check`; if that is clean, kotaci is at fault, and `kotaci --verbose` shows where"
        complain(f"{type(error).__name__}: {words}; {hint}")
        return ExitCode.BAD_INPUT
    return ExitCode.DONE
