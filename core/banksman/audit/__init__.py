"""One file per run that verifies offline: what was done, in which order, and that a person approved each write."""

from banksman.audit._export import FORMAT, VERSION, export, header, is_finished, line
from banksman.audit._verify import Report, verify, verify_text

__all__ = ["FORMAT", "VERSION", "Report", "export", "header", "is_finished", "line", "verify", "verify_text"]
