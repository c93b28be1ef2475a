"""Steps of the operations on monitoring agents: copy the driver actions to the node and start it, or stop it.

The agent gets MONITOR_CONFIGURATION on standard input; a start prints MONITOR_MESSAGES.
Source: monitoring driver messages of release 6.0.
"""

from __future__ import annotations

from services.common import paths
from services.common.config import ConfigError
from services.oned.drivers.step import PlanError, Step, ssh_command
from services.oned.drivers.table import POLLED_IM_DRIVERS, Drivers
from services.oned.monitor import conf as monitor_conf
from services.oned.monitor.conf import ImDriver, MonitorConf
from services.oned.store.jobs import Job

START, STOP, MONITOR = "im.START", "im.STOP", "im.MONITOR"
_SCRIPTS = {START: "run_monitord_client", STOP: "stop_monitord_client"}
_RUN = 'exec "$@"'
# $1 our actions, $2 the node, $3 the folder there, the rest how to reach it. Programs that run just now keep
# their old text: rsync and tar both put new files in the place of old ones. Only rsync removes what is gone.
_COPY = """
from=$1 node=$2 to=$3; shift 3
case $node in -*|'') echo "node name '$node' cannot be used" >&2; exit 1;; esac
quoted=$(printf '%s' "$to" | sed "s/'/'\\\\\\\\''/g")
if "$@" -- "$node" "mkdir -p -- '$quoted' && command -v rsync >/dev/null"; then
    if command -v rsync >/dev/null; then
        shell=$(printf "'%s' " "$@")
        exec rsync -sLaz --delete -e "$shell" -- "$from/" "$node:$to/"
    fi
elif [ $? -eq 255 ]; then
    exit 255
fi
tar -C "$from" -chzf - . | "$@" -- "$node" "tar -C '$quoted' -xzf -"
"""


def steps(job: Job, drivers: Drivers) -> list[Step]:
    """The steps of an ``im.`` job. Raises PlanError for a driver that no configuration file names."""
    if job.operation == MONITOR:
        return [_ask(job, drivers)]
    script = _SCRIPTS.get(job.operation)
    if script is None:
        raise PlanError(f"there is no operation {job.operation}")
    try:
        conf = monitor_conf.load()
    except ConfigError as error:
        raise PlanError(f"host {job.oid}: {error}") from None
    driver = conf.drivers.get(job.driver)
    if driver is None:
        raise PlanError(f"Cannot find driver: '{job.driver}'")
    made = [_control(job, script, driver, conf, drivers)]
    if job.operation == START and not driver.is_local:
        made.insert(0, _copy(job, driver, drivers))
    return made


def _ask(job: Job, drivers: Drivers) -> Step:
    if job.driver not in POLLED_IM_DRIVERS:
        raise PlanError(f"host {job.oid}: the engine does not ask monitoring driver {job.driver!r}")
    args = (job.driver, str(job.oid), job.host)
    return Step("im", job.driver, "monitor", args, drivers.timeout_s("im", "monitor"), gives_output=True)


def _copy(job: Job, driver: ImDriver, drivers: Drivers) -> Step:
    args = (str(paths.remotes()), job.host, drivers.remote_folder, *ssh_command())
    return Step("im", job.driver, "copy", args, driver.timeout_s, line=_COPY)


def _control(job: Job, script: str, driver: ImDriver, conf: MonitorConf, drivers: Drivers) -> Step:
    folder = str(paths.remotes()) if driver.is_local else drivers.remote_folder
    return Step(
        "im",
        job.driver,
        script,
        (f"{folder}/im/{script}", job.driver, str(job.oid), job.host),
        driver.timeout_s,
        host="" if driver.is_local else job.host,
        line=_RUN,
        stdin=conf.for_agents(job.oid, drivers.conf.datastore_location),
        is_encoded=driver.is_local,
        gives_output=True,
    )
