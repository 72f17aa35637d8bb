"""What can go wrong: the exception classes of the Python client, by the same names.

Programs catch :class:`CrdsError` for anything that CRDS says. The names are those of
``crds.core.exceptions`` in CRDS 14, also where nothing here raises them, so that what catches
them goes on working.
"""

from __future__ import annotations


class CrdsError(Exception):
    """Anything that goes wrong with calibration references. Its arguments are joined by blanks."""

    def __init__(self, *args: object) -> None:
        super().__init__(" ".join(str(arg) for arg in args))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class ServiceError(CrdsError):
    """The CRDS server refused a request."""


class StatusChannelNotFoundError(ServiceError):
    """The server does not know the channel that progress was asked of."""


class OwningProcessAbortedError(ServiceError):
    """The server's process that was to report progress was ended."""


class CrdsConfigError(CrdsError):
    """A setting cannot be used, or does not go with another or with the cache."""


class CrdsWebError(CrdsError):
    """A page of the server's web site says that something failed."""


class CrdsWebAuthenticationError(CrdsWebError):
    """The web site's login failed."""


class CrdsExtraneousFileError(CrdsWebError):
    """There are files in the submission that do not belong to it."""


class CrdsBackgroundError(CrdsError):
    """A task in the background failed."""


class CrdsDownloadError(CrdsError):
    """A reference or rules file could not be fetched, or is not what CRDS knows."""


class CrdsBadRulesError(CrdsError):
    """The rules were withdrawn by CRDS."""


class CrdsBadReferenceError(CrdsError):
    """A reference was withdrawn by CRDS."""


class CrdsNetworkError(CrdsError):
    """The server cannot be reached, or none may be asked, and it is needed."""


class CrdsLookupError(CrdsError, LookupError):
    """The rules have no reference of a type that was asked for."""


class CrdsRemoteContextError(CrdsError):
    """The server's record of the context that a pipeline uses cannot be read or set."""


class FilePropertiesError(CrdsError):
    """The instrument or type of a file cannot be told."""


class CrdsUnknownInstrumentError(CrdsError):
    """The context has no rules for the instrument."""


class CrdsUnknownReftypeError(CrdsError):
    """The rules have no such reference type."""


class MappingError(CrdsError):
    """Rules cannot be loaded."""


class MappingFormatError(MappingError):
    """A rules file is not written as rules are."""


class ChecksumError(MappingError):
    """A rules file is not what it was when its checksum was made."""


class MissingHeaderKeyError(MappingError):
    """The header of a rules file lacks a key."""


class InconsistentParkeyError(MappingError):
    """The parameters of a rules file contradict its rows."""


class MappingInsertionError(MappingError):
    """A file could not be added to rules."""


class ValidationError(CrdsError):
    """A value is not among those a selector allows."""


class AmbiguousMatchError(CrdsError):
    """Several rows match equally well and may not be merged."""


class MissingParameterError(CrdsError):
    """The header lacks a parameter that the rules need."""


class BadValueError(CrdsError):
    """A parameter has none of the values that the rules list."""


class ModificationError(CrdsError):
    """Rules could not be changed."""


class OverlappingMatchError(ModificationError):
    """Two new references would get the same row."""


class MatchingError(CrdsLookupError):
    """No row of the rules matches."""


class UseAfterError(CrdsLookupError):
    """The rules have nothing as early as the dataset's date."""


class VersionAfterError(CrdsLookupError):
    """The rules have nothing for the version."""


class InvalidDatetimeError(CrdsError):
    """A date or time cannot be read."""


class InvalidUseAfterFormat(InvalidDatetimeError):
    """A USEAFTER date cannot be read."""


class InvalidVersionFormat(CrdsError):
    """A version cannot be read."""


class IrrelevantReferenceTypeError(LookupError):
    """The type does not apply to the dataset."""


class OmitReferenceTypeError(LookupError):
    """The type does not apply to the dataset and is to be left out of the answer."""


class FileFormatError(CrdsError):
    """A file is not of the format it should be of."""


class JsonFormatError(FileFormatError):
    """A file is not JSON."""


class YamlFormatError(FileFormatError):
    """A file is not YAML."""


class UnsupportedFileOpError(CrdsError, NotImplementedError):
    """Something cannot be done with files of this format."""


class CertifyError(CrdsError):
    """A reference file is not fit for submission."""


class MissingKeywordError(CertifyError):
    """A keyword is missing."""


class IllegalKeywordError(CertifyError):
    """A keyword is there that should not be."""


class InvalidFormatError(CertifyError):
    """The file cannot be read."""


class TpnDefinitionError(CertifyError):
    """A constraint is not well written."""


class MissingTpnIncludeError(CertifyError):
    """A file of constraints that another includes is missing."""


class InconsistentTpnReplaceError(CertifyError):
    """Constraints replace the same value by different ones."""


class TypeSetupError(CertifyError):
    """The constraints of a type cannot be found."""


class MissingReferenceError(CertifyError):
    """Rules name a reference that CRDS does not have."""


class RequiredConditionError(CertifyError):
    """A condition that a file must meet does not hold."""


class BadKernelCenterPixelTooSmall(CertifyError):
    """The central pixel of a convolution kernel is too small."""


class BadKernelSumError(CertifyError):
    """The sum of a convolution kernel is not one."""


class MissingArrayError(CrdsError):
    """An array is missing from a reference file."""


class MissingColumnError(CrdsError):
    """A column is missing from a reference file."""


class DuplicateSha1sumError(CrdsError):
    """CRDS has the same file already."""


class CrdsTypeSpecError(CrdsError):
    """The specification of a reference type is not well written."""


class NameComparisonError(CrdsError):
    """It cannot be told which of two names is the newer one."""


class CrdsNamingError(CrdsError):
    """A file cannot be given a name."""


class CrdsPipelineCfgDeterminationError(CrdsError):
    """The pipeline of a dataset cannot be told."""


class CrdsPipelineTypeDeterminationError(CrdsError):
    """The reference types of a pipeline cannot be told."""


__all__ = [
    name
    for name, value in list(globals().items())
    if isinstance(value, type) and issubclass(value, Exception) and name.endswith("Error")
]
