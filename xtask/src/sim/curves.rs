//! Draws curves over the number of nodes as SVG, and knows nothing of what they mean.

use std::fmt;

/// Points joined by a line.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    pub(super) label: &'static str,
    /// Nodes, and what is counted.
    pub(super) points: Vec<(f64, f64)>,
}

/// One picture.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// Of the file.
    pub(super) name: &'static str,
    title: &'static str,
    pub(super) curves: Vec<Curve>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;

/// Room for the labels around the plot: left, top, right, bottom.
const MARGIN: (f64, f64, f64, f64) = (56.0, 36.0, 24.0, 44.0);

/// Colours that a colour-blind reader can tell apart.
const COLOURS: [&str; 3] = ["#0072b2", "#d55e00", "#009e73"];

/// Lines across the plot.
const GRID: u32 = 4;

impl Chart {
    pub(super) fn new(name: &'static str, title: &'static str, curves: Vec<Curve>) -> Self {
        Self {
            name,
            title,
            curves,
        }
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.curves
            .iter()
            .flat_map(|curve| curve.points.iter().copied())
    }

    /// The top of the plot: a round number that no point exceeds.
    fn top(&self) -> f64 {
        let highest = self.points().map(|(_, y)| y).fold(1.0, f64::max);
        let unit = 10_f64.powf(highest.log10().floor());
        let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
        let fits = steps.into_iter().map(|step| step * unit);
        fits.into_iter()
            .find(|top| *top >= highest)
            .unwrap_or(highest)
    }

    /// Where a point stands; nodes are drawn by their logarithm.
    fn place(&self, (nodes, value): (f64, f64)) -> (f64, f64) {
        let (left, top, right, bottom) = MARGIN;
        let least = self.points().map(|(x, _)| x).fold(f64::INFINITY, f64::min);
        let most = self.points().map(|(x, _)| x).fold(1.0, f64::max);
        let span = (most / least).ln().max(f64::EPSILON);
        let x = left + (nodes / least).ln() / span * (WIDTH - left - right);
        let y = HEIGHT - bottom - value / self.top() * (HEIGHT - top - bottom);
        (x, y)
    }
}

impl fmt::Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, _, right, _) = MARGIN;
        writeln!(
            f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">"
        )?;
        writeln!(f, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>")?;
        writeln!(
            f,
            "<text x=\"{left}\" y=\"20\" font-size=\"14\">{}</text>",
            self.title
        )?;
        self.grid(f)?;
        self.numbers_of_nodes(f)?;
        self.lines(f)?;
        self.legend(f)?;
        let right_end = WIDTH - right;
        let y = HEIGHT - 6.0;
        writeln!(
            f,
            "<text x=\"{right_end}\" y=\"{y}\" text-anchor=\"end\">nodes</text>"
        )?;
        writeln!(f, "</svg>")
    }
}

/// The parts of the picture, in the order in which they are drawn.
impl Chart {
    /// Level lines, with their values on the left.
    fn grid(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, top, right, bottom) = MARGIN;
        for line in 0..=GRID {
            let value = self.top() * f64::from(line) / f64::from(GRID);
            let y = HEIGHT - bottom - (HEIGHT - top - bottom) * f64::from(line) / f64::from(GRID);
            writeln!(
                f,
                "<path d=\"M{left} {y:.1}H{}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{value}</text>",
                WIDTH - right,
                left - 6.0,
                y + 4.0
            )?;
        }
        Ok(())
    }

    /// Below the grid, the numbers of nodes that the longest curve has.
    fn numbers_of_nodes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, _, _, bottom) = MARGIN;
        let longest = self.curves.iter().max_by_key(|curve| curve.points.len());
        for (nodes, value) in longest
            .iter()
            .flat_map(|curve| curve.points.iter().copied())
        {
            let (x, _) = self.place((nodes, value));
            let y = HEIGHT - bottom + 18.0;
            writeln!(
                f,
                "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{nodes}</text>"
            )?;
        }
        Ok(())
    }

    /// The curves themselves.
    fn lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (curve, colour) in self.curves.iter().zip(COLOURS) {
            let points = curve.points.iter().map(|point| {
                let (x, y) = self.place(*point);
                format!("{x:.1},{y:.1}")
            });
            let points: Vec<String> = points.collect();
            writeln!(
                f,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                points.join(" ")
            )?;
        }
        Ok(())
    }

    /// At the bottom, the label of each curve in its colour.
    fn legend(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, _, _, _) = MARGIN;
        for (place, (curve, colour)) in (0_u32..).zip(self.curves.iter().zip(COLOURS)) {
            let x = left + 200.0 * f64::from(place);
            writeln!(
                f,
                "<text x=\"{x}\" y=\"{}\" fill=\"{colour}\">{}</text>",
                HEIGHT - 6.0,
                curve.label
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_lies_within_the_picture() {
        let curve = Curve {
            label: "a",
            points: vec![(5.0, 3.0), (100.0, 13.0), (1000.0, 0.0)],
        };
        let chart = Chart::new("a", "b", vec![curve]);
        for point in chart.points() {
            let (x, y) = chart.place(point);
            assert!((0.0..=WIDTH).contains(&x), "{x}");
            assert!((0.0..=HEIGHT).contains(&y), "{y}");
        }
        assert!((chart.top() - 20.0).abs() < 1e-9);
    }
}
