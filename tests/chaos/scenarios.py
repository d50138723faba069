"""The table of scenarios: what a pool has to live through. `python -m tests.chaos --list` tells it in short."""

import signal

from .kinds import MODELLED
from .load import Load
from .nemeses.broker import CutClients, FillBroker, FreezeBroker, KillBroker
from .nemeses.network import Partition, Reset, Storm
from .nemeses.processes import Kill, KillEngine, Pause, Roll
from .nemeses.prying import Pry
from .proxy import Weather
from .rules import Rules
from .scenario import Scenario
from .shape import Shape

_TABLE = (
    Scenario(
        name="calm",
        story="nothing happens: no job moves, clients fare alike, no stream stalls",
        rules=Rules(takeovers=0, fairness=0.95, gap_s=1.0, stall_s=2.0, min_struck=0),
    ),
    # --- workers and engines --------------------------------------------------------------------------------------
    Scenario(
        name="killed-workers",
        story="kill -9 of one of four workers each 1–3 s: every stream is whole",
        shape=Shape(workers=4),
        load=Load(clients=8, submitters=2),
        nemeses=(Kill(kind="workers"),),
    ),
    Scenario(
        name="lone-worker",
        story="kill -9 of the only worker, whenever it is back: its jobs wait, and go on",
        shape=Shape(workers=1, slots=16),
        load=Load(clients=8),
        nemeses=(Kill(kind="workers", is_patient=True),),
    ),
    Scenario(
        name="failing-engines",
        story="engines abort and are killed under their agents: another worker goes on at once",
        nemeses=(KillEngine(),),
    ),
    Scenario(
        name="hung-engine",
        story="an engine hangs, its process alive: the watchdog ends it, and its jobs move",
        shape=Shape(workers=2),
        nemeses=(KillEngine(every_s=(2.0, 3.0), signals=(signal.SIGSTOP,)),),
        rules=Rules(stall_s=40.0, quiet_s=60.0),
        seconds=4.0,
    ),
    Scenario(
        name="sick-machine",
        story="one machine's engine crashes under whatever it runs: no job is condemned for that, and it steps aside",
        shape=Shape(workers=3, sick=1),
        rules=Rules(min_struck=0),
    ),
    Scenario(
        name="paused-workers",
        story="workers sleep for one to three leases and wake up: they write nothing, and start anew",
        nemeses=(Pause(kind="workers"),),
        load=Load(tokens=(60, 300)),
    ),
    Scenario(
        name="paused-alone",
        story="the only worker sleeps for up to three leases: its jobs go back, and it takes them anew",
        shape=Shape(workers=1, slots=16),
        nemeses=(Pause(kind="workers"),),
        load=Load(tokens=(60, 300)),
    ),
    Scenario(
        name="rolling-restart",
        story="SIGTERM to all workers in turn, again and again: no request fails, no lease is waited for",
        shape=Shape(workers=2, drain_s=0.2),
        load=Load(tokens=(50, 300)),
        nemeses=(Roll(),),
        rules=Rules(gap_s=1.5),
    ),
    Scenario(
        name="poison",
        story="jobs that kill every engine they meet end as dead letters; their neighbours' streams are whole",
        shape=Shape(workers=3, slots=16),
        load=Load(clients=31, submitters=0, tokens=(10, 60), villains={"[[crash@5]]": 1, "[[oom@0]]": 1}),
        rules=Rules(must_end_in={"[[crash": "poisoned", "[[oom": "poisoned"}, engine_deaths=2, min_struck=0),
    ),
    # --- gateways ---------------------------------------------------------------------------------------------------
    Scenario(
        name="killed-gateways",
        story="kill -9 of one of two gateways: its clients go on at the other with Last-Event-ID",
        shape=Shape(gateways=2),
        nemeses=(Kill(kind="gateways"),),
    ),
    Scenario(
        name="paused-gateways",
        story="gateways sleep and wake up: they read what they missed",
        shape=Shape(gateways=2),
        nemeses=(Pause(kind="gateways", for_s=(0.5, 5.0)),),
    ),
    Scenario(
        name="rolling-gateways",
        story="SIGTERM to both gateways in turn: streams end there with `draining`, and go on at the other",
        shape=Shape(gateways=2),
        nemeses=(Roll(kind="gateways"),),
    ),
    # --- clients ------------------------------------------------------------------------------------------------
    Scenario(
        name="leavers",
        story="clients leave and cancel at every phase: slots are free at once, and nothing runs on",
        shape=Shape(workers=1, slots=8),
        load=Load(
            clients=24,
            leavers=0.6,
            cancellers=0.2,
            nameless=0.5,
            tokens=(20, 400),
            pause_s=0.01,
            extra={"linger_ms": 0},
        ),
        rules=Rules(cancel_p99_s=0.3, takeovers=0, min_struck=0),
    ),
    Scenario(
        name="tenants",
        story="four tenants ask for each other's jobs all the while: to them these are unknown, and nobody notices",
        shape=Shape(gateways=2, tenants=4),
        load=Load(clients=8, nameless=0.3),
        nemeses=(Pry(), Kill(kind="workers")),
    ),
    Scenario(
        name="orphans",
        story="gateways die with clients that never come back: the orphan grace ends their jobs",
        shape=Shape(gateways=2, limits={"orphan_ms": 6_000}),
        load=Load(leavers=0.4, nameless=0.3, tokens=(50, 1_500), leave_within_s=3.0, extra={"linger_ms": 0}),
        nemeses=(Kill(kind="gateways"),),
        is_spied=False,
    ),
    Scenario(
        name="slow-readers",
        story="half of the clients read ten events a second: the others don't notice",
        load=Load(clients=10, slow=0.5, tokens=(20, 60)),
        rules=Rules(takeovers=0, gap_s=1.5, min_struck=0),
    ),
    Scenario(
        name="twins",
        story="each request is made ten times at once with one key, over lines that break: it runs once",
        shape=Shape(gateways=2, is_proxied=True),
        load=Load(clients=3, submitters=0, twins=10),
        nemeses=(Reset(),),
    ),
    Scenario(
        name="overfull",
        story="many more ask than may wait: they are refused at once, and what was accepted is kept",
        shape=Shape(workers=1, slots=2, limits={"waiting": 4}),
        load=Load(clients=16, submitters=0, tokens=(10, 40)),
        rules=Rules(refused_s=1.0, min_struck=0),
    ),
    # --- the broker ---------------------------------------------------------------------------------------------
    Scenario(
        name="killed-broker",
        story="kill -9 of the broker: nothing accepted is lost, new requests are refused within a second meanwhile",
        nemeses=(KillBroker(),),
        rules=Rules(refused_s=1.0, back_s=2.0),
    ),
    Scenario(
        name="frozen-broker",
        story="the broker stands still for seconds: no living worker loses a job",
        nemeses=(FreezeBroker(),),
        rules=Rules(takeovers=0, back_s=2.0),
    ),
    Scenario(
        name="full-broker",
        story="the broker is at maxmemory: running jobs finish, new ones are refused, all heals by itself",
        nemeses=(FillBroker(),),
        rules=Rules(refused_s=1.0, takeovers=0),
    ),
    Scenario(
        name="torn-file",
        story="kill -9 of the broker, and the end of its file is lost: no stream is ever spliced",
        load=Load(submitters=0),
        nemeses=(KillBroker(every_s=(1.5, 3.0), away_s=(0.1, 1.0), tears=(1, 65_536)),),
        # A job whose very submit was lost, but of which a client has a part, is never generated a second time.
        rules=Rules(is_tail_kept=False, may_end_in=["stream_lost", "stream_diverged"]),
        is_spied=False,
    ),
    Scenario(
        name="cut-clients",
        story="CLIENT KILL of subscribers and of all others: they come back and read what they missed",
        shape=Shape(gateways=2),
        nemeses=(CutClients(),),
        rules=Rules(takeovers=0),
    ),
    # --- the network --------------------------------------------------------------------------------------------
    Scenario(
        name="lossy-channel",
        story="pub/sub messages are lost, the last one too, and come late: that costs latency only",
        shape=Shape(is_proxied=True),
        load=Load(submitters=0),
        nemeses=(
            Storm(
                weathers=(Weather(lost_messages=0.2), Weather(lost_messages=0.9), Weather(delay_s=0.1)),
                every_s=(0.1, 0.5),
                share=1.0,
            ),
        ),
        rules=Rules(takeovers=0, gap_s=2.5),
    ),
    Scenario(
        name="broken-lines",
        story="lines to the broker break, and stand half open: cut off workers lose their jobs, and no stream a word",
        shape=Shape(gateways=2, is_proxied=True),
        nemeses=(
            Reset(every_s=(1.0, 2.0)),
            Storm(weathers=(Weather(is_deaf=True), Weather(is_mute=True), Weather(is_deaf=True, is_mute=True))),
        ),
    ),
    Scenario(
        name="partitions",
        story="the kernel drops a worker's packets, one way or both, or resets its lines: its jobs move on",
        shape=Shape(workers=3, is_apart=True),
        nemeses=(Partition(every_s=(0.5, 1.5)),) * 2,
        rules=Rules(gap_s=10.0),
        needs_namespaces=True,
    ),
    # --- all at once --------------------------------------------------------------------------------------------
    Scenario(
        name="everything",
        story="workers, engines, gateways and the broker die and sleep, all in one run",
        shape=Shape(workers=4, gateways=2, is_proxied=True),
        load=Load(clients=8, submitters=2, leavers=0.1, cancellers=0.1),
        nemeses=(
            Kill(kind="workers", every_s=(2.0, 5.0)),
            Pause(kind="workers", every_s=(3.0, 6.0)),
            KillEngine(every_s=(3.0, 6.0)),
            Kill(kind="gateways", every_s=(4.0, 8.0)),
            KillBroker(every_s=(6.0, 10.0)),
            CutClients(every_s=(3.0, 6.0)),
            Storm(weathers=(Weather(delay_s=0.05), Weather(lost_messages=0.5), Weather(is_mute=True))),
        ),
        rules=Rules(stall_s=30.0),
    ),
    # --- figures ------------------------------------------------------------------------------------------------
    Scenario(
        name="eight-hundred",
        story="8 clients × 100 requests, one of four workers killed each 1–3 s: 800 of 800 whole",
        shape=Shape(workers=4),
        load=Load(clients=8, submitters=0, requests=100),
        nemeses=(Kill(kind="workers"),),
        rules=Rules(min_done=800),
        is_figure=True,
    ),
    Scenario(
        name="eight-hundred-alone",
        story="the same with one worker, killed whenever it is back: 800 of 800 whole",
        shape=Shape(workers=1, slots=8),
        load=Load(clients=8, submitters=0, requests=100),
        nemeses=(Kill(kind="workers", is_patient=True),),
        rules=Rules(min_done=800),
        is_figure=True,
    ),
    Scenario(
        name="two-hundred-pauses",
        story="workers sleep for up to three leases, 200 times: no old attempt's token reaches a client",
        shape=Shape(workers=6, slots=4),
        load=Load(clients=8, tokens=(60, 300)),
        nemeses=(Pause(kind="workers", every_s=(0.3, 1.0)),) * 5,
        rules=Rules(min_struck=200),
        seconds=240.0,
        is_figure=True,
    ),
    Scenario(
        name="twenty-broker-kills",
        story="kill -9 of the broker, 20 times under load: no job is lost, and it goes on within 2 s of its return",
        nemeses=(KillBroker(every_s=(2.0, 3.0), away_s=(0.1, 1.5)),),
        rules=Rules(min_struck=20, refused_s=1.0, back_s=2.0),
        seconds=80.0,
        is_figure=True,
    ),
    Scenario(
        name="thousand-leavers",
        story="1,024 clients leave at every phase: slots are free at once, and nothing runs on",
        shape=Shape(workers=2, slots=8),
        load=Load(
            clients=32,
            submitters=0,
            requests=32,
            leavers=1.0,
            nameless=0.5,
            tokens=(20, 400),
            extra={"linger_ms": 0},
        ),
        rules=Rules(cancel_p99_s=0.3, takeovers=0, min_struck=0),
        is_figure=True,
    ),
    Scenario(
        name="ten-rounds",
        story="ten rolling restarts of all workers: no request fails, and each hand-over is quick",
        shape=Shape(workers=3, drain_s=0.2),
        load=Load(clients=8, tokens=(100, 400)),
        nemeses=(Roll(every_s=(0.1, 0.5)),),
        rules=Rules(min_struck=30, gap_s=1.0),
        seconds=90.0,
        is_figure=True,
    ),
    Scenario(
        name="truth",
        story="a model's arithmetic, 80 requests of each kind, under kills: the rehearsal's answers, bit for bit",
        shape=Shape(workers=2, slots=8, model="tiny"),
        load=Load(clients=8, submitters=0, requests=60, tokens=(20, 100), kinds=MODELLED, is_rehearsed=True),
        nemeses=(Kill(kind="workers", every_s=(3.0, 6.0)),),
        rules=Rules(oracle="rehearsal", gap_s=None, stall_s=60.0, min_done=960),
        is_figure=True,
    ),
)
SCENARIOS = {scenario.name: scenario for scenario in _TABLE}
