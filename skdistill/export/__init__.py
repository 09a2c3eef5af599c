"""Where a student runs elsewhere: printers of a Program, one file for each format."""

from ._files import check_ops, program_of, write_files

__all__ = ["check_ops", "program_of", "write_files"]
