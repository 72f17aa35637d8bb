//! Wavelengths at which the Earth's own atmosphere shines into a spectrum, which a plot should not be
//! scaled by.

/// In Ångström, both ends included: the geocoronal emission in Lyman alpha, 1214 to 1217 Å
/// (`generate_avoid_regions` of `spec_plots`, for COS).
const AIRGLOW: [(f64, f64); 1] = [(1214.0, 1217.0)];

/// Whether a wavelength is one of airglow.
pub(super) fn is_airglow(wavelength: f64) -> bool {
    let within = |(from, to): &(f64, f64)| (from..=to).contains(&&wavelength);
    AIRGLOW.iter().any(within)
}
