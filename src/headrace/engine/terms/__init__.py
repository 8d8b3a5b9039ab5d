"""Program documents: read, checked, explained in words, compared, classed."""

from headrace.engine.terms.canonical import document_of, dump, dump_json, terms_hash
from headrace.engine.terms.check import check
from headrace.engine.terms.check_together import check_together
from headrace.engine.terms.classes import Classed, classify
from headrace.engine.terms.comparing import Change, diff
from headrace.engine.terms.describing import describe, sentences
from headrace.engine.terms.document import Document
from headrace.engine.terms.loading import load_terms, loads, read_document
from headrace.engine.terms.model import Terms
from headrace.engine.terms.published import program_schema
from headrace.engine.terms.sentences import Sentence, english
from headrace.engine.terms.templates import TEMPLATES, Template, template

__all__ = [
    "TEMPLATES",
    "Change",
    "Classed",
    "Document",
    "Sentence",
    "Template",
    "Terms",
    "check",
    "check_together",
    "classify",
    "describe",
    "diff",
    "document_of",
    "dump",
    "dump_json",
    "english",
    "load_terms",
    "loads",
    "program_schema",
    "read_document",
    "sentences",
    "template",
    "terms_hash",
]
