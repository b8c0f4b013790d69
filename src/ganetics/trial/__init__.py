"""One trial: train under a loss, sample, score. Search, benchmark and generation all come through here."""

from ganetics.trial.data import TrialData, data_digest, load_trial_data
from ganetics.trial.job import TrialJob, TrialReply, data_of, run_job, settled, time_limit
from ganetics.trial.metrics import score
from ganetics.trial.outcome import advance, assessed, run_trial

__all__ = [
    "TrialData",
    "TrialJob",
    "TrialReply",
    "advance",
    "assessed",
    "data_digest",
    "data_of",
    "load_trial_data",
    "run_job",
    "run_trial",
    "score",
    "settled",
    "time_limit",
]
